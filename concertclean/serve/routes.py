"""The requests that the server understands; its own page uses nothing else.

Every error is `{"error": "..."}` with the fact and the cure, and a status that says what kind it is.
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import typer
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from concertclean import __version__
from concertclean.audio_io.formats import FORMATS
from concertclean.classical.catalogue import METHODS
from concertclean.config.denoise import PRESETS
from concertclean.errors import ConcertCleanError
from concertclean.report.page import palette, with_pieces
from concertclean.serve import listening, openapi, tasks
from concertclean.serve.bodies import record
from concertclean.serve.jobs import ENDED, Job, NewJob, SaveRequest, Sliders, Tuning, Wish
from concertclean.serve.refusals import RefusalError, status_of
from concertclean.serve.uploads import receive
from concertclean.serve.worker import Worker
from concertclean.serve.workplace import Workplace
from concertclean.weights.cards import load_cards

_MOST_DIGITS: Final = 6
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_ASSETS: Final = {
    "index.html": "serve", "serve.css": "serve", "live.js": "serve", "stream.js": "serve", "tiles.js": "serve",
    "waveform.js": "serve", "queue.js": "serve", "serve.js": "serve",
    "page.css": "report", "player.js": "report", "controls.js": "report", "spectrogram.js": "report",
    "deck.js": "report", "mix.js": "report",
}  # fmt: skip
_MODELS: Final = ("concert", "gramophone")  # besides those that the user has added


@dataclass(frozen=True)
class Desk:
    """What answers requests.

    Attributes:
        place: the working folder.
        worker: of it.
        is_local: only this machine can send requests.
    """

    place: Workplace
    worker: Worker
    is_local: bool

    async def page(self, request: Request) -> Response:
        """The page."""
        return await self.asset(request)

    async def asset(self, request: Request) -> Response:
        """A part of the page."""
        name = request.path_params.get("name", "index.html")
        if name not in _ASSETS:
            raise RefusalError(HTTPStatus.NOT_FOUND, "there is no such file")
        text = (files(f"concertclean.{_ASSETS[name]}") / "assets" / name).read_text(encoding="utf-8")
        return Response(with_pieces(text) if name == "index.html" else text, media_type=_TYPES[Path(name).suffix])

    async def description(self, request: Request) -> Response:
        """This description."""
        return JSONResponse(openapi.describe(request.app.routes, __version__))

    async def options(self, request: Request) -> Response:
        """What can be chosen: presets, models, methods, formats; and the colours of spectrograms."""
        cards = await run_in_threadpool(load_cards)
        models = {name: card.description for name, card in cards.items() if name in _MODELS or card.path is not None}
        return JSONResponse({
            "presets": PRESETS,
            "models": models,
            "methods": {name: method.description for name, method in METHODS.items()},
            "formats": [name for name, entry in FORMATS.items() if entry.is_writable],
            "has_folder": self.place.folder is not None,
            "results": str(self.place.root / "results"),
            "palette": palette(),
            "version": __version__,
        })  # fmt: skip

    async def folder(self, request: Request) -> Response:
        """Recordings in the folder that is served, if one is."""
        return JSONResponse({"files": await run_in_threadpool(self.place.picks)})

    async def upload(self, request: Request) -> Response:
        """Takes a recording: the body is the file, the query `name` its name."""
        try:
            declared = int(request.headers.get("content-length", "0"))
        except ValueError as error:
            raise RefusalError(HTTPStatus.BAD_REQUEST, "content-length is no number; leave it out") from error
        name = request.query_params.get("name", "recording")
        upload = await receive(self.place, name, request.stream(), declared)
        return JSONResponse({"upload": upload.id, "name": upload.name}, HTTPStatus.CREATED)

    async def jobs(self, request: Request) -> Response:
        """All jobs, the oldest first."""
        return JSONResponse({"jobs": [self._shown(job) for job in self.place.jobs()]})

    async def new_job(self, request: Request) -> Response:
        """Puts a recording into the queue, an upload or one from the folder."""
        new = await record(request, NewJob)
        await run_in_threadpool(tasks.require_known, new.model)
        if new.upload is not None:
            job = await run_in_threadpool(self.place.add_upload, new.upload, new.wish)
        else:
            job = await run_in_threadpool(self.place.add_file, str(new.file), new.wish)
        self.worker.wake()
        return JSONResponse(self._shown(job), HTTPStatus.CREATED)

    async def job(self, request: Request) -> Response:
        """A job: its state, progress, diagnosis and result."""
        return JSONResponse(self._shown(self._job(request)))

    async def cancel(self, request: Request) -> Response:
        """Cancels a job that waits or is at work."""
        job = await run_in_threadpool(self.worker.cancel, self._job(request).id)
        return JSONResponse(self._shown(job))

    async def retry(self, request: Request) -> Response:
        """Does a job that has ended again; with a body, in another way."""
        job = self._job(request)
        wish = await record(request, Wish, job.wish)
        await run_in_threadpool(tasks.require_known, wish.model)
        sliders = job.sliders if wish.model == job.wish.model else None  # another treatment has other limits
        changed = await run_in_threadpool(
            self.place.change, job.id, ENDED, wish=wish, state="waiting", error=None, result=None, sliders=sliders
        )
        self.worker.wake()
        return JSONResponse(self._shown(changed))

    async def tune(self, request: Request) -> Response:
        """Keeps what somebody has set, for the next look at the page."""
        tuning = await record(request, Tuning)
        sliders = Sliders(strength=tuning.strength, max_reduction_db=tuning.max_reduction_db)
        changed = await run_in_threadpool(self.place.change, self._job(request).id, sliders=sliders, leave=tuning.leave)
        return JSONResponse(self._shown(changed))

    async def save(self, request: Request) -> Response:
        """Writes a result into the folder of results, from what was found; nothing is found again."""
        wanted = await record(request, SaveRequest)
        job = self._job(request)
        if job.state != "done":
            raise RefusalError(HTTPStatus.CONFLICT, f"{job.name}: is {job.state}; it can be saved when it is done")
        path, report = await run_in_threadpool(tasks.save, self.place, job, wanted)
        facts = {"name": path.name, "path": str(path), "bytes": path.stat().st_size, "warnings": report.warnings}
        return JSONResponse(facts, HTTPStatus.CREATED)

    async def remove(self, request: Request) -> Response:
        """Deletes a job with its upload; what was saved stays."""
        await run_in_threadpool(self.place.remove, self._job(request).id)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def peaks(self, request: Request) -> Response:
        """The course of the level of the whole recording."""
        return self._file(request, "peaks.json", "application/json")

    async def audio(self, request: Request) -> Response:
        """What the page plays: "before" and "removed" as FLAC; "stream", Opus with the channels of both.

        The first two are there for short results, the last for long ones; ranges are understood.
        """
        name = request.path_params["sound"]
        if name == "stream":
            return self._file(request, listening.STREAM, "audio/ogg")
        if name not in listening.SOUNDS:
            known = ", ".join((*listening.SOUNDS, "stream"))
            raise RefusalError(HTTPStatus.NOT_FOUND, f"there is no such sound, only {known}")
        return self._file(request, f"{name}.flac", "audio/flac")

    async def picture(self, request: Request) -> Response:
        """Levels of a spectrogram, "before", "after" or "removed", as a grey PNG: 2 (dB + 120)."""
        return self._file(request, f"{_picture(request)}.png", "image/png")

    async def tile(self, request: Request) -> Response:
        """The same of a part of a long result, by its number, with finer columns."""
        number = request.path_params["number"]
        if not (number.isdecimal() and len(number) <= _MOST_DIGITS):
            raise RefusalError(HTTPStatus.NOT_FOUND, f"{number}: is no number of a tile; they count from 0")
        name = listening.tile_name(int(number), _picture(request))
        return self._file(request, f"{name}.png", "image/png")

    async def show(self, request: Request) -> Response:
        """Opens the folder of results in the file manager of this machine."""
        results = self.place.root / "results"
        if not self.is_local:
            raise RefusalError(HTTPStatus.FORBIDDEN, f"the folder is on another machine, {results}; download the files")
        if await run_in_threadpool(typer.launch, str(results)):
            raise RefusalError(HTTPStatus.NOT_IMPLEMENTED, f"no program shows folders here; the files are in {results}")
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def result(self, request: Request) -> Response:
        """A saved file; ranges are understood."""
        path = await run_in_threadpool(self.place.result, request.path_params["name"])
        disposition = {"content-disposition": f"attachment; filename*=utf-8''{quote(path.name)}"}
        return FileResponse(path, media_type="application/octet-stream", headers=disposition)

    def _job(self, request: Request) -> Job:
        return self.place.job(request.path_params["id"])

    def _shown(self, job: Job) -> dict[str, Any]:
        """A job as responses hold it."""
        progress = self.worker.progress(job.id)
        return {**job.model_dump(mode="json"), "progress": None if progress is None else asdict(progress)}

    def _file(self, request: Request, name: str, kind: str) -> Response:
        job = self._job(request)
        path = self.place.files(job) / name
        if not os.path.isfile(path):
            raise RefusalError(HTTPStatus.NOT_FOUND, f"{job.name}: is {job.state}; this is there when it is done")
        return FileResponse(path, media_type=kind)


Handler = Callable[[Request], Awaitable[Response]]


def make_app(desk: Desk) -> Starlette:
    """The application without its guard."""
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/", desk.page),
        ("GET", "/assets/{name}", desk.asset),
        ("GET", "/api/openapi.json", desk.description),
        ("GET", "/api/options", desk.options),
        ("GET", "/api/folder", desk.folder),
        ("POST", "/api/uploads", desk.upload),
        ("GET", "/api/jobs", desk.jobs),
        ("POST", "/api/jobs", desk.new_job),
        ("GET", "/api/jobs/{id}", desk.job),
        ("DELETE", "/api/jobs/{id}", desk.remove),
        ("POST", "/api/jobs/{id}/cancel", desk.cancel),
        ("POST", "/api/jobs/{id}/retry", desk.retry),
        ("PUT", "/api/jobs/{id}/tuning", desk.tune),
        ("POST", "/api/jobs/{id}/save", desk.save),
        ("GET", "/api/jobs/{id}/peaks", desk.peaks),
        ("GET", "/api/jobs/{id}/audio/{sound}", desk.audio),
        ("GET", "/api/jobs/{id}/pictures/{picture}", desk.picture),
        ("GET", "/api/jobs/{id}/tiles/{number}/{picture}", desk.tile),
        ("GET", "/api/results/{name}", desk.result),
        ("POST", "/api/results", desk.show),
    ]
    routes = [Route(path, handler, methods=[method]) for method, path, handler in table]
    kinds = (ConcertCleanError, ClientDisconnect, HTTPException, Exception)
    handlers = {kind: _failed for kind in kinds}
    return Starlette(routes=routes, exception_handlers=handlers)


def _picture(request: Request) -> str:
    """The picture that a request names."""
    name = str(request.path_params["picture"])
    if name not in listening.PICTURES:
        raise RefusalError(HTTPStatus.NOT_FOUND, f"there is no such picture, only {', '.join(listening.PICTURES)}")
    return name


async def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody reads it
    if isinstance(error, HTTPException):
        return JSONResponse({"error": f"{request.method} {request.url.path}: {error.detail}"}, error.status_code)
    if not isinstance(error, ConcertCleanError):
        fault = f"unexpected {type(error).__name__}; this is a fault of concertclean, please report it"
        return JSONResponse({"error": fault}, HTTPStatus.INTERNAL_SERVER_ERROR)
    return JSONResponse({"error": str(error)}, status_of(error))
