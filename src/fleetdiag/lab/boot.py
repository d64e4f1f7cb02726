# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab for programs (tests, the demo): `up()` gives a Lab, `down()` ends everything of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab import (
    accel,
    build_host,
    cache,
    commands,
    images,
    inventory,
    keys,
    machines,
    machines_data,
    paths,
    requirements,
    snapshots,
)
from fleetdiag.lab.images import BuiltImage
from fleetdiag.lab.keys import Keys
from fleetdiag.lab.locks import held
from fleetdiag.lab.log import say
from fleetdiag.lab.machines_data import Image
from fleetdiag.lab.model import Lab
from fleetdiag.lab.processes import State
from fleetdiag.lab.profiles import site
from fleetdiag.lab.snapshots import Snapshot

Result = TypeVar("Result")

_BOOTS_AT_ONCE = 2
# Measured sizes, rounded up, in GB.
_IMAGE_GB, _IMAGE_WORK_GB, _BUILDER_GB, _OVERLAY_GB = 0.7, 1.2, 3.0, 0.7
# Beside the memory of its guest: translated code, devices.
_EMULATOR_GB = 0.5


def up(
    names: Sequence[str] | None = None,
    with_old: bool = False,
    with_ghost: bool = False,
    with_arm: bool = False,
    fresh: bool = False,
    profile: str = "web",
) -> Lab:
    """Bring up the machines `names` (default: those of the profile); those that run are kept.

    `fresh` restarts the named machines from their images. Raises FleetdiagError when something is missing.
    """
    wanted = _wanted(names or machines_data.PROFILES[profile], with_old, with_arm)
    cache_dir, state = paths.cache_dir(), State(paths.state_dir())
    with held(state.folder):
        _forget_the_dead(state)
        if fresh:
            for name in wanted:
                if state.stop(name):
                    say(f"{name}: ended for a fresh start")
        missing = [name for name in wanted if name not in state.running()]
        keys_ = Keys(cache_dir / "keys")
        if missing:
            _preflight(state, missing)
            with held(cache_dir):
                keys_, built = _made({*wanted, *state.running()})
                chosen = accel.choose(cache_dir, next(iter(built.values())))
                kept = _snapshots(missing, built, chosen, keys_, state)
                _prune(built, chosen, keys_, state)
            _start(kept, built, chosen, keys_, state)
        lab = _write_inventory(state, keys_, with_ghost)
        if not names and profile == "site":
            site.set_up(lab)
    say(f"up: {', '.join(sorted(lab.machines))}; inventory {lab.inventory}")
    return lab


def again(name: str) -> Lab:
    """Boot a machine that went down as it comes up after a crash: with what was on its disk by then."""
    state = State(paths.state_dir())
    with held(state.folder):
        with held(paths.cache_dir()):
            _, built = _made([name])
            image = built[machines_data.MACHINES[name].image]
            chosen = accel.choose(paths.cache_dir(), image)
        machines.boot_again(machines_data.MACHINES[name], image, chosen, state)
    return running()


def prepare(with_old: bool = False) -> None:
    """Make the images and the builder's tree of the profile `web` where they are missing; nothing is started."""
    names = _wanted(machines_data.PROFILES["web"], with_old)
    _preflight(State(paths.state_dir()), names)
    with held(paths.cache_dir()):
        _, built = _made(names)
        build_host.ensure(built.values())


def running() -> Lab:
    """Return the lab as it runs now (perhaps empty); start nothing."""
    state = State(paths.state_dir())
    ready = {name: process for name, process in state.running().items() if process.ready}
    return Lab(state.folder / "inventory.yml", ready, Keys(paths.cache_dir() / "keys"))


def down() -> list[str]:
    """End everything the lab started, also by a killed command; gives the names that were running."""
    state = State(paths.state_dir())
    with held(state.folder):
        ended = [name for name in sorted(state.processes()) if state.stop(name)]
        for leftover in ("machines", "builder"):
            cache.remove(state.folder / leftover)
        (state.folder / "inventory.yml").unlink(missing_ok=True)
    return ended


def clean() -> None:
    """End the lab and remove its cache: images, builder, keys."""
    down()
    with held(paths.cache_dir()):
        for path in paths.cache_dir().iterdir():
            if path.is_dir():
                cache.remove(path)
            elif path.name != "lock":
                path.unlink()


def _wanted(names: Sequence[str], with_old: bool, with_arm: bool = False) -> list[str]:
    more = (*(machines_data.OLD if with_old else ()), *(machines_data.ARM if with_arm else ()))
    wanted = list(dict.fromkeys([*names, *more]))
    known = [machines_data.BUILDER, *machines_data.MACHINES]
    for name in wanted:
        if name not in known:
            raise FleetdiagError(f"no machine {name} in the lab; there are {', '.join(known)}")
    return wanted


def _kernels_of(names: Iterable[str]) -> list[str]:
    # The builder always has the kernels of the web machines: it need not be made again for each choice.
    return list(
        dict.fromkeys([*machines_data.WEB, *(name for name in names if name in machines_data.MACHINES)])
    )


def _made(names: Iterable[str]) -> tuple[Keys, dict[Image, BuiltImage]]:
    """Return the keys and the images of these machines. The caller holds the lock of the cache."""
    cache.drop_unfinished(paths.cache_dir())
    keys_ = keys.ensure(paths.cache_dir())
    return keys_, _images(names, keys_)


def _images(names: Iterable[str], keys_: Keys) -> dict[Image, BuiltImage]:
    wanted = list(dict.fromkeys(machines_data.MACHINES[name].image for name in _kernels_of(names)))
    # Also those that are there anyway: then one builder serves every choice of machines.
    every = dict.fromkeys(machine.image for machine in machines_data.MACHINES.values())
    wanted += [image for image in every if image not in wanted and images.cached(image, keys_)]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(wanted, pool.map(lambda image: images.ensure(image, keys_), wanted), strict=True))


def _snapshots(
    missing: list[str], built: dict[Image, BuiltImage], chosen: str, keys_: Keys, state: State
) -> dict[str, Snapshot]:
    """Return the snapshots of the missing machines, by name, booting those that have none; start the builder beside."""

    def snapshot(name: str, given_up: Event) -> Snapshot:
        machine = machines_data.MACHINES[name]
        return snapshots.ensure(machine, built[machine.image], chosen, keys_, given_up)

    names = [name for name in reversed(missing) if name != machines_data.BUILDER]
    with ThreadPoolExecutor(1) as beside:
        # The builder waits for the mirror and its disk, the machines for an emulator: do both at once.
        job = beside.submit(_builder, machines_data.BUILDER in missing, [*built.values()], keys_, state)
        kept = _at_once(snapshot, names)
        job.result()
    return kept


def _start(
    kept: dict[str, Snapshot], built: dict[Image, BuiltImage], chosen: str, keys_: Keys, state: State
) -> None:
    def start(name: str, given_up: Event) -> object:
        machine = machines_data.MACHINES[name]
        return machines.start(machine, built[machine.image], chosen, kept[name], keys_, state, given_up)

    _at_once(start, kept)


def _at_once(task: Callable[[str, Event], Result], names: Iterable[str]) -> dict[str, Result]:
    """Return what the task gives for each name, two at once; when interrupted, those that run see their event."""
    given_up = Event()
    with ThreadPoolExecutor(_BOOTS_AT_ONCE) as boots:
        jobs = {name: boots.submit(task, name, given_up) for name in names}
        try:
            errors = [error for job in jobs.values() if (error := job.exception())]
        except KeyboardInterrupt:
            given_up.set()
            for job in jobs.values():
                job.cancel()
            raise
    if errors:
        raise errors[0]
    return {name: job.result() for name, job in jobs.items()}


def _builder(missing: bool, built: list[BuiltImage], keys_: Keys, state: State) -> None:
    now = state.running().get(machines_data.BUILDER)
    if not missing and now is None:
        return
    # Machines that were up before may run images that today's recipe does not make any more.
    older = [process.image for process in state.running().values() if process.kind == "qemu"]
    folder = build_host.ensure([*built, *(BuiltImage(paths.cache_dir() / name) for name in older)])
    if now is not None and now.image != folder.name:
        say("builder: other kernels than before, restarting it")
        state.stop(machines_data.BUILDER)
        now = None
    if now is None:
        build_host.start(folder, keys_, state)


def _prune(built: dict[Image, BuiltImage], chosen: str, keys_: Keys, state: State) -> None:
    in_use = {process.image for process in state.running().values()}
    current = {images.name(machine.image, keys_) for machine in machines_data.MACHINES.values()}
    cache.prune(paths.cache_dir(), in_use | current, "image")
    of_today = [machine for machine in machines_data.MACHINES.values() if machine.image in built]
    kept = {snapshots.name(machine, built[machine.image], chosen) for machine in of_today}
    cache.prune(paths.cache_dir(), kept, "snapshot")
    # With and without the old kernel's headers.
    cache.prune(paths.cache_dir(), in_use, "builder", newest=2)


def _preflight(state: State, missing: list[str]) -> None:
    cache_dir = paths.cache_dir()
    keys_ = Keys(cache_dir / "keys")
    have_keys = keys_.client.exists() and keys_.host.exists()
    disk = 0.5 + (0 if any(cache_dir.glob("builder-*/tree")) else _BUILDER_GB)
    for image in {machines_data.MACHINES[name].image for name in _kernels_of(missing)}:
        disk += 0 if have_keys and images.cached(image, keys_) else _IMAGE_GB + _IMAGE_WORK_GB
    boots = [machines_data.MACHINES[name] for name in missing if name != machines_data.BUILDER]
    memory = 0.5 + sum(machine.memory_mb / 1000 + _EMULATOR_GB for machine in boots)
    foreign = {machine.image for machine in boots if machine.image.architecture != machines_data.AMD64}
    absent = any(not have_keys or not images.cached(image, keys_) for image in foreign)
    needed_gb = disk + _OVERLAY_GB * len(boots)
    requirements.check(cache_dir, state.folder, needed_gb, memory, bool(foreign), absent)


def _forget_the_dead(state: State) -> None:
    for name, process in state.processes().items():
        if name not in state.running():
            say(f"{name}: recorded as process {process.pid}, which is gone")
            # Its next start overwrites them.
            for log in ("qemu.log", "console.log") if process.kind == "qemu" else ():
                say(
                    f"{name}: the end of its {log}: {commands.tail(state.folder / 'machines' / name / log, 5)}"
                )
            state.record(name, None)
        elif not process.ready and process.kind != "workload":
            say(f"{name}: an earlier command was interrupted while it started; ending it")
            state.stop(name)


def _write_inventory(state: State, keys_: Keys, with_ghost: bool) -> Lab:
    processes = {name: process for name, process in state.running().items() if "ssh" in process.ports}
    ports = {name: process.ports["ssh"] for name, process in processes.items()}
    text = inventory.render(ports, keys_, with_ghost)
    return Lab(inventory.write(state.folder / "inventory.yml", text), processes, keys_)
