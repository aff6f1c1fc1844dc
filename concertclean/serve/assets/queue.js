/* Requests to the server, and getting recordings there. */

/** JSON of a response; an Error with the server's words where it refuses. */
async function ask(method, path, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : null;
  let refusal = {};
  try { refusal = JSON.parse(text); } catch { /* no answer of ours */ }
  throw new Error(refusal.error || `the server refused this (${response.status}); reload the page`);
}

/** Sends a file as it is; `progress` receives the part that was sent. */
function send(file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/uploads?name=${encodeURIComponent(file.name)}`);
    request.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : 0);
    request.onerror = () => reject(new Error(`${file.name}: the server cannot be reached; is it still running?`));
    request.onload = () => {
      let value = {};
      try { value = JSON.parse(request.responseText); } catch { /* no answer of ours */ }
      if (request.status === 201) resolve(value.upload);
      else reject(new Error(value.error || `${file.name}: was refused (${request.status}); try again`));
    };
    request.send(file);
  });
}

/** All files of what was dropped, those in folders too. */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map((entry) => filesIn(entry, true)))).flat();
}

async function filesIn(entry, isNamed) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return isNamed || /^(audio|video)\//.test(file.type) ? [file] : []; // covers and texts in folders are no recordings
  }
  const reader = entry.createReader();
  const inner = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    inner.push(...some);
  }
  return (await Promise.all(inner.map((each) => filesIn(each, false)))).flat();
}

/** Where a job stands, in words. */
function stateOf(job) {
  if (job.state === "waiting") return "Waiting";
  if (job.state === "failed") return "Failed";
  if (job.state === "cancelled") return "Cancelled";
  if (job.state === "done") return !job.result ? "Done" : job.result.is_whole ? "Restored" : `Preview of ${clock(job.result.seconds, 0)}`;
  const { step, share, seconds_left: left } = job.progress || { step: "Starting", share: null, seconds_left: null };
  if (share === null) return `${step} …`;
  return `${step}: ${Math.round(100 * share)}\u00a0%${left > 1 ? `, about ${clock(left, 0)} left` : ""}`;
}

const SCENES = {
  clean: "music without noise", crowd: "music with a crowd", disc: "a disc with surface noise", speech: "speech", silence: "silence",
};

/** The diagnosis as pairs of a word and its value. */
function factsOf({ diagnosis: found }, treatment) {
  const share = found.probabilities[found.scene];
  const sure = share === undefined ? "" : ` (${Math.round(100 * share)}\u00a0%${found.is_doubtful ? ", doubtful" : ""})`;
  const level = (db, where) => (db === null ? "none" : `${Math.round(-db)}\u00a0dB ${where}`);
  return [
    ["It sounds like", `${SCENES[found.scene] || found.scene}${sure}`],
    ["Clicks", `${found.clicks_per_second.toFixed(1)} a second`],
    ["Hum", found.hum_hz === null ? "none" : `${found.hum_hz.toFixed(1)}\u00a0Hz, ${found.hum_partials} partials`],
    ["Hiss", level(found.hiss_db, "below the loud parts")],
    ["Bandwidth", `${(found.bandwidth_hz / 1000).toFixed(1)}\u00a0kHz`],
    ["Clipping", found.clipped_share ? `${(100 * found.clipped_share).toFixed(3)}\u00a0% of the samples` : "none"],
    ["Proposed", found.model ? `${treatment(found.model)}: ${found.reason}` : `leave it alone: ${found.reason}`],
  ];
}
