"""`samhub certs`, `db`, `config`: keeping house."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from adapters.register.cpas import name
from adapters.register.directory import FileDirectory
from hub.agreements import Remark, judged
from hub.errors import ConfigurationError, StoreUnavailable
from hub.formats import address
from hub.formats.cpa import Cpa, Profile
from hub.kit import Kit
from hub.message import Party
from hub.trust import certificates
from ops import config as configurations
from ops.certs import check
from ops.certs.check import ListRow, Row
from ops.cli.common import AsJson, ConfigFile, configuration, fail, hub, listing, plain, print_json, run, store, there
from ops.cli.registers import show_running
from ops.serve.alone import alone

log = structlog.get_logger("start")
certs = typer.Typer(no_args_is_help=True, help="Certificates: make-example, check.")
db = typer.Typer(no_args_is_help=True, help="The store: migrate, check, backup, restore, move, adopt.")
config = typer.Typer(no_args_is_help=True, help="The configuration: check, show, docs.")


@certs.command("make-example")
def make_example(
    folder: Annotated[Path, typer.Argument(help="Where to write.")] = Path("certs-example/pki"),
) -> None:
    """A small PKI shaped like the sector's: valid, expiring, expired, revoked, wrong use and unknown issuer."""
    from ops.sector import SECTOR, make_keys

    make_keys(folder, SECTOR, bad_for="sykehus")
    print(
        f"{folder}: authorities, CRLs, and sign and encrypt pairs for {', '.join(sorted({m.organisation for m in SECTOR}))}"
    )
    print("sykehus-revoked, -expired, -expiring, -wrong-purpose and -unknown-issuer are what their names say")
    print("for trying things out only: these keys protect nothing")


@certs.command("check")
def check_certificates(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Expiry, purpose, path and revocation of everything in use, and the end of every CRL. Exit 1 when anything is not good."""

    async def work() -> tuple[list[Row], list[ListRow]]:
        async with hub(config) as built:
            return list(check.rows(built.kit)), list(check.lists(built.kit))

    found, crls = run(work())
    columns: dict[str, Callable[[Any], object]] = {
        "HER-id": lambda r: r.her_id,
        "name": lambda r: r.name,
        "use": lambda r: r.use,
        "state": lambda r: r.state,
        "until": lambda r: r.not_after,
        "days left": lambda r: r.days_left,
        "CRL until": lambda r: r.crl_until,
        "because": lambda r: r.because,
    }
    listing(found, as_json, columns, "no certificates in use")
    for one in crls:
        if one.state != "good":  # beside the rows, which are of certificates
            print(f"CRL {one.issuer}: {one.state}: {one.because}", file=sys.stderr if as_json else sys.stdout)
    if any(state != "good" for state in (*(r.state for r in found), *(c.state for c in crls))):
        raise typer.Exit(1)


@db.command("migrate")
def migrate(config: ConfigFile = None) -> None:
    """Brings the store's schema up to date; the hub does so itself when it starts."""
    from adapters.store.opening import migrated, where

    settings = configuration(config).store
    applied = run(migrated(settings))
    print(f"{where(settings)}: {'applied ' + ', '.join(map(str, applied)) if applied else 'up to date'}")


@db.command("check")
def check_store(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Whether the store keeps its promises: integrity, and nothing without its other half. Exit 1 when not."""

    async def work() -> list[str]:
        async with store(config, apart=True) as opened:
            return await opened.check()

    broken = run(work())
    if as_json:
        print_json({"broken": broken})
    else:
        print("\n".join(broken) or "every promise is kept")
    if broken:
        raise typer.Exit(1)


@db.command("backup")
def backup(
    folder: Annotated[Path | None, typer.Argument(help="Where to write; a folder with the time in its name.")] = None,
    config: ConfigFile = None,
) -> None:
    """A consistent copy of the store, taken while the hub runs."""
    from adapters.store.opening import backed_up

    target = folder or Path(f"backup-{_stamp()}")
    print(run(backed_up(there(config), target)))


@db.command("adopt")
def adopt(config: ConfigFile = None) -> None:
    """Uses the large bodies that lie beside the store as they are, where no copy has both of one day. Exit 1 when some lack.

    What is missing is told as content-lost when it is needed, and is whole again when it is handed over or sent again.
    """
    from adapters.store.opening import adopted

    found = there(config)
    if found.url:
        fail("a shared store has all its bodies in the database; there is nothing to adopt")
    with alone(found.path):
        broken = run(adopted(found))
    print("\n".join(broken) or "every promise is kept")
    if broken:
        raise typer.Exit(1)


@db.command("restore")
def restore(
    folder: Annotated[
        Path, typer.Argument(help="The folder that samhub db backup wrote.", exists=True, file_okay=False)
    ],
    config: ConfigFile = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put a store that is there aside.")] = False,
) -> None:
    """Puts a copy in the place of the store, once it has been checked; no hub may run on it meanwhile."""
    from adapters.store.restore import restore as restored

    settings = configuration(config).store
    if settings.url:
        from adapters.store.postgres.dump import restoring

        fail(restoring(settings.url, folder))
    path = settings.path
    aside = run(restored(folder, path, replace=replace, aside=f"{path.stem}-replaced-{_stamp()}"))
    print(f"{path}: restored from {folder}")
    if aside is not None:
        print(f"the store that was there lies in {aside}")


@db.command("move")
def move(
    source: Annotated[
        str, typer.Option("--from", help="The store that is: a file, or postgresql://user@host/database.")
    ],
    target: Annotated[
        str, typer.Option("--to", help="Where it shall be: a file that is not there, or an empty database.")
    ],
    password_file: Annotated[
        Path | None, typer.Option(help="File that holds the database's password; else PGPASSFILE or PGPASSWORD.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Moves a whole store from one database to another, and compares both afterwards; no hub may run on either."""
    from adapters.store.moving.move import end
    from adapters.store.moving.move import move as moved

    def told(table: str, count: int) -> None:
        if sys.stderr.isatty():
            print(f"{table}: {count}", file=sys.stderr)

    async def work() -> tuple[str, dict[str, int]]:
        here, there = end(source, password_file), end(target, password_file)
        return there.name, await asyncio.to_thread(moved, here, there, told)

    name, counts = run(work())
    if as_json:
        return print_json(counts)
    print(f"{name}: {counts['messages']} messages with all that belongs to them, compared row by row; now set the")
    print(
        "store's address in the configuration (store.url or store.path) and start the hub; the old store stays as it was"
    )
    return None


def purge(
    config: ConfigFile = None,
    days: Annotated[
        int, typer.Option(help="Keep content at least so many days after its message was settled.", min=1)
    ] = 90,
    by_rules: Annotated[
        bool, typer.Option("--by-rules", help="By each rule of [purge], as the hub does by itself, instead of one age.")
    ] = False,
    really: Annotated[bool, typer.Option("--really", help="Remove it; else only tell what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Removes documents and parcels of messages settled long ago, while the hub runs; receipts, journal and digests stay."""
    from adapters.store.opening import untrusted

    if by_rules:
        return purge_by_rules(config, really=really, as_json=as_json)
    now = datetime.now(UTC)
    before = now - timedelta(days=days)

    async def work() -> Any:
        async with store(config) as opened:
            if really and (why := await untrusted(opened, now)):
                raise StoreUnavailable(f"nothing was removed: {why}")
            return await opened.purge(before, really=really)

    gone = run(work())
    if as_json:
        return print_json({**plain(gone), "before": before.isoformat(), "really": really})
    said = "removed" if really else "would be removed (nothing was; say --really)"
    print(
        f"settled before {before:%Y-%m-%d %H:%M} UTC: {gone.bodies} bodies, {gone.size} bytes, {gone.files} files {said}"
    )
    return None


def purge_by_rules(config: Path | None, *, really: bool, as_json: bool) -> None:
    """What the rules of [purge] would remove now, rule by rule: a body that two rules take is told at both."""
    from adapters.store.opening import untrusted
    from ops.serve import purging

    settings, now = configuration(config).purge, datetime.now(UTC)

    async def look() -> list[purging.Foreseen]:
        async with store(config) as opened:
            return await purging.foreseen(opened, settings, now)

    async def work() -> str:
        async with hub(config) as built:
            if why := await untrusted(built.store, built.kit.clock.now()):
                raise StoreUnavailable(f"nothing was removed: {why}")
            return await purging.purge(built.store, built.kit, settings)

    found = run(look())
    done = run(work()) if really else ""
    if as_json:
        return print_json({"rules": [plain(one) for one in found], "really": really, "done": done})
    for one in found:
        print(f"{one.rule}: {one.count} {one.what}, {one.size} bytes")
    print(f"removed: {done}" if really else "nothing was removed; say --really")
    return None


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


@config.command("check")
def check_configuration(config: ConfigFile = None) -> None:
    """All mistakes at once: configuration, parties, keys, certificates, agreements and routes. Exit 2 when there are any.

    What an agreement says and is not followed is told as well, with what happens then.
    """

    async def work() -> str:
        async with hub(config) as built:
            parties = built.directory.parties()
            local = sum(p.local for p in parties)
            told = misfits(built.directory)
            if mistakes := [*unreachable(parties), *_mistakes(built.directory, told)]:
                raise ConfigurationError(mistakes)
            for cpa_id, remark in told:
                print(f"agreement {cpa_id}: {remark.severity}: {remark}")
            for line in (*_waiting(built.directory), *_of_certificates(built.kit)):
                print(line)
            return f"good: {local} local and {len(parties) - local} remote parties"

    print(run(work()))


def unreachable(parties: Iterable[Party]) -> list[str]:
    """What of partners' rows would make a dead letter of all that is sent to them."""
    told = []
    for party in parties:
        if party.local:
            continue
        if party.endpoint and (why := address.fault(party.endpoint)):
            told.append(f"party {party.her_id}: endpoint: {why}")
        encryption = party.encryption_certificate
        if encryption and (why := certificates.unfit(encryption, certificates.Purpose.ENCRYPTION)):
            told.append(f"party {party.her_id}: encryption_certificate: {why}; ask the partner for another")
    return told


def _waiting(directory: FileDirectory) -> list[str]:
    """Parties that nobody serves yet."""
    text = "is left to a record system that nobody has made: samhub system add ID --her-ids"
    return [f"party {her} {text} {her}" for her in directory.waiting()]


def _of_certificates(kit: Kit) -> list[str]:
    """What is wrong, or soon will be, with certificates and CRLs.

    Raises ConfigurationError for our own that are of no use: nothing that they sign or open counts.
    """
    wrong = [row for row in check.rows(kit) if row.state != "good"]
    told = [(f"certificate of HER-id {row.her_id} ({row.use}): {row.because}", _useless(row)) for row in wrong]
    if mistakes := [text for text, useless in told if useless]:
        raise ConfigurationError(mistakes)
    return [text for text, _ in told] + [f"CRL {c.issuer}: {c.because}" for c in check.lists(kit) if c.state != "good"]


def _useless(row: Row) -> bool:
    return row.own and row.state not in ("soon", "revocation-unknown")


def tell_of_certificates(kit: Kit) -> None:
    """To the log: our own certificates that are of no use are our fault, those that end soon will be; so it is with CRLs."""
    for row in check.rows(kit, own=True):
        if row.state != "good":
            say = log.error if _useless(row) else log.warning
            say("own-certificate", state=row.state, use=row.use, because=row.because, **{"from": row.her_id})
    for one in check.lists(kit):
        if one.state != "good":
            say = log.warning if one.state == "soon" else log.error
            say("revocation-list", issuer=one.issuer, state=one.state, because=one.because)


def misfits(directory: FileDirectory) -> list[tuple[str, Remark]]:
    """What of all agreements is not followed, each with the name of its agreement."""
    every: list[Cpa | Profile] = [*directory.agreements(), *directory.profiles()]
    return [(name(one), remark) for one in every for remark in judged(one)]


def _mistakes(directory: FileDirectory, told: list[tuple[str, Remark]]) -> list[str]:
    """Agreements that cannot be used, those under which nothing may be sent, and settings of none."""
    mistakes = [f"agreement {name} cannot be used: {why}" for name, why in directory.broken.items()]
    mistakes += [f"agreement {cpa_id}: {remark}" for cpa_id, remark in told if remark.severity == "refused"]
    mistakes += [
        f"agreement {cpa_id} has settings in the party file, and no file in the folder of agreements has that cpaid"
        for cpa_id in directory.strange_agreements()
    ]
    return mistakes


@config.command("show")
def show_configuration(
    config: ConfigFile = None,
    running: Annotated[
        bool, typer.Option("--running", help="Which register each running node has read, and when, instead.")
    ] = False,
) -> None:
    """Every setting as it holds, as JSON."""
    if running:
        return show_running(config)
    return print_json(plain(configuration(config).model_dump()))


@config.command("docs")
def document_configuration() -> None:
    """The reference page of settings."""
    print(configurations.docs(), end="")
