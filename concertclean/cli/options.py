"""The options of `concertclean denoise`: their names, their help, nothing else.

None means that the option was not given, so that the settings file, or the default in `config`, decides.
"""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from concertclean.cli import completion
from concertclean.cli.times import METAVAR, time_parser

RESTORING, OUTPUT, RUNNING, PRINTED = "What is removed", "What is written", "How it runs", "What is printed"

Inputs = Annotated[
    list[str], Argument(help="Recordings, folders, patterns or URLs; - reads standard input.", show_default=False)
]

Model = Annotated[
    str | None,
    Option(
        metavar="NAME,...",
        help="auto (diagnoses, then chooses), a model, a weights file, or a method: declick, decrackle, "
        "dethump, dehum, lsa, logmmse, steady, lsa-c; separate several with commas. \\[default: auto]",
        rich_help_panel=RESTORING,
        autocompletion=completion.models,
    ),
]
Preset = Annotated[
    str | None,
    Option(
        help="Stages for one kind of recording: 78rpm, vinyl, tape, concert.",
        rich_help_panel=RESTORING,
        autocompletion=completion.presets,
    ),
]
NoiseProfile = Annotated[
    str | None,
    Option(
        metavar="START-END|auto|FILE",
        help="For lsa: where there is noise alone, such as 0:00-0:01; auto to look for it; or a file.",
        rich_help_panel=RESTORING,
    ),
]
Strength = Annotated[
    float | None,
    Option(
        help="0 leaves the recording as it is, 1 removes everything that was found. \\[default: 1]",
        rich_help_panel=RESTORING,
    ),
]
MaxReduction = Annotated[
    float | None,
    Option(metavar="DB", help="Never lower anything by more than this.", rich_help_panel=RESTORING),
]
Start = Annotated[
    float | None,
    Option(parser=time_parser(), metavar=METAVAR, help="Begin here: 75, 1:15 or 0:01:15.", rich_help_panel=RESTORING),
]
Duration = Annotated[
    float | None,
    Option(parser=time_parser(), metavar=METAVAR, help="Process only so much.", rich_help_panel=RESTORING),
]
Leave = Annotated[
    str | None,
    Option(
        metavar="START-END,...",
        help="Leave these parts as they are, such as 3:10-3:40 for speech between songs.",
        rich_help_panel=RESTORING,
    ),
]
AudioStream = Annotated[
    int | None,
    Option(
        metavar="N",
        help="Which sound of a film, counted from 1. \\[default: the one that players choose]",
        rich_help_panel=RESTORING,
    ),
]

Output = Annotated[
    str | None,
    Option(
        "-o",
        "--output",
        help="File, folder or URL; - writes standard output. \\[default: NAME_clean.wav beside; a video's is a video]",
        rich_help_panel=OUTPUT,
    ),
]
OutputFormat = Annotated[
    str | None,
    Option(
        help="keep, wav, flac, m4a, alac, mp3, opus or ogg; of a video also mp4, mov, 3gp, mkv, webm or avi, "
        "the others take its sound alone. \\[default: by -o, else wav, and a video stays one]",
        rich_help_panel=OUTPUT,
        autocompletion=completion.formats,
    ),
]
Codec = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Codec of the new sound of a video: aac, mp3, opus, flac, alac, pcm. \\[default: as before]",
        rich_help_panel=OUTPUT,
    ),
]
BitDepth = Annotated[
    str | None,
    Option(help="keep, 16, 24, 32, 32f or 64f. \\[default: keep; 24 for lossy sources]", rich_help_panel=OUTPUT),
]
Loudness = Annotated[
    str | None,
    Option(help="off, match (as loud as before) or a level in LUFS. \\[default: off]", rich_help_panel=OUTPUT),
]
Clip = Annotated[
    str | None,
    Option(
        help="warn, rescale or limit, where the result exceeds full scale. \\[default: warn]",
        rich_help_panel=OUTPUT,
    ),
]
Removed = Annotated[
    bool,
    Option("--removed", "--residual", help="Also write what was removed, NAME_clean_removed.", rich_help_panel=OUTPUT),
]
Report = Annotated[
    bool,
    Option("--report", help="Also make a page to compare before and after.", rich_help_panel=OUTPUT),
]
Preview = Annotated[
    bool,
    Option("--preview", help="Like --report, with only the 30 s where most was removed.", rich_help_panel=OUTPUT),
]
Manifest = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Note what is done, a line of JSON a recording; the same command goes on where it ended.",
        rich_help_panel=RUNNING,
    ),
]
Verify = Annotated[
    bool,
    Option("--verify", help="With --manifest: compare files by their hash, not their size.", rich_help_panel=RUNNING),
]
Shard = Annotated[
    str | None,
    Option(
        metavar="K/N",
        help="Only the recordings of part K of N, such as 3/16; the same on every machine.",
        rich_help_panel=RUNNING,
    ),
]
LosslessReport = Annotated[
    bool,
    Option(
        "--lossless-report", help="Like --report, with exact sound (FLAC); ten times as large.", rich_help_panel=OUTPUT
    ),
]
Engine = Annotated[
    str,
    Option(
        metavar="threads|ray",
        help="Where recordings are restored: in this process, or by workers of a Ray cluster.",
        rich_help_panel=RUNNING,
    ),
]
Address = Annotated[
    str | None,
    Option(
        metavar="auto|HOST:PORT",
        help="With --engine ray: the cluster. \\[default: one on this machine, for this run]",
        rich_help_panel=RUNNING,
    ),
]
Overwrite = Annotated[bool, Option("--overwrite", help="Replace existing outputs.", rich_help_panel=OUTPUT)]
SkipExisting = Annotated[
    bool, Option("--skip-existing", help="Skip recordings whose output exists.", rich_help_panel=OUTPUT)
]
DryRun = Annotated[bool, Option("--dry-run", help="Print what would be done.", rich_help_panel=OUTPUT)]

Recursive = Annotated[
    bool, Option("-r", "--recursive", help="Search folders inside folders, too.", rich_help_panel=RUNNING)
]
Device = Annotated[
    str | None,
    Option(
        help="auto, cpu, cuda, cuda:N or mps. \\[default: auto]",
        rich_help_panel=RUNNING,
        autocompletion=completion.devices,
    ),
]
Precision = Annotated[str | None, Option(help="auto, fp32, bf16 or fp16. \\[default: auto]", rich_help_panel=RUNNING)]
Segment = Annotated[
    float | None,
    Option(metavar="SECONDS", help="Seconds a network call. \\[default: as the model needs]", rich_help_panel=RUNNING),
]
Overlap = Annotated[
    float | None,
    Option(help="Cross-faded part of a segment, 0 to 0.5. \\[default: 0.02]", rich_help_panel=RUNNING),
]
BatchSize = Annotated[int | None, Option(help="Segments a call on a GPU. \\[default: 8]", rich_help_panel=RUNNING)]
Threads = Annotated[
    int | None,
    Option(help="CPU cores to use; of each worker with --engine ray. \\[default: all; 1]", rich_help_panel=RUNNING),
]
Offline = Annotated[bool | None, Option("--offline", help="Never use the network.", rich_help_panel=RUNNING)]
Config = Annotated[
    Path | None,
    Option(help="TOML file with these settings; options override it.", rich_help_panel=RUNNING),
]

Json = Annotated[bool, Option("--json", help="Results as JSON on standard output.", rich_help_panel=PRINTED)]
JsonlLog = Annotated[
    str | None,
    Option(metavar="FILE|-", help="Append one JSON line a recording to this file.", rich_help_panel=PRINTED),
]
Quiet = Annotated[bool, Option("-q", "--quiet", help="Errors only.", rich_help_panel=PRINTED)]
Verbose = Annotated[
    bool,
    Option("-v", "--verbose", help="Also print device, precision and weights.", rich_help_panel=PRINTED),
]
NoProgress = Annotated[bool, Option("--no-progress", help="No progress bar.", rich_help_panel=PRINTED)]
