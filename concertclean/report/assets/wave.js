/* Sound as a WAV file, made in the page. */

/** A mix of AudioBuffers of one length as a Blob: 24 bits, limited to full scale, `gains` for each track. */
function waveOf(tracks, gains) {
  const { length, sampleRate, numberOfChannels: channels } = tracks[0];
  const nBytes = 3 * channels * length;
  const parts = [waveHeader(nBytes, sampleRate, channels)];
  for (let start = 0; start < length; start += sampleRate) {
    parts.push(waveSamples(tracks, gains, start, Math.min(length, start + sampleRate)));
  }
  if (nBytes % 2) parts.push(new Uint8Array(1));
  return new Blob(parts, { type: "audio/wav" });
}

function waveHeader(nBytes, sampleRate, channels) {
  const view = new DataView(new ArrayBuffer(44));
  const word = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + nBytes + (nBytes % 2), true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // integers
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, 3 * channels * sampleRate, true);
  view.setUint16(32, 3 * channels, true);
  view.setUint16(34, 24, true);
  word(36, "data");
  view.setUint32(40, nBytes, true);
  return view.buffer;
}

function waveSamples(tracks, gains, start, end) {
  const channels = tracks[0].numberOfChannels;
  const bytes = new Uint8Array(3 * channels * (end - start));
  for (let channel = 0; channel < channels; channel += 1) {
    const sounds = tracks.map((track) => track.getChannelData(channel));
    for (let i = start; i < end; i += 1) {
      const sample = sounds.reduce((sum, sound, track) => sum + gains[track] * sound[i], 0);
      const value = Math.max(-0x800000, Math.min(0x7fffff, Math.round(sample * 0x800000)));
      const at = 3 * (channels * (i - start) + channel);
      bytes[at] = value;
      bytes[at + 1] = value >> 8;
      bytes[at + 2] = value >> 16;
    }
  }
  return bytes;
}

/** A name that every file system takes. */
function fileNameOf(text) { return text.replace(/[\u0000-\u001f\\/:*?"<>|]+/g, "_").replace(/^[. ]+/, "").slice(0, 120) || "sound"; }
