"""`samhub party`, `agreement`, `route`: who is who, what is agreed, and where a document would go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.register import cpas
from adapters.register.file import read
from hub.agreements import judged
from hub.formats import document as documents
from hub.formats import xml
from hub.formats.cpa import Cpa, Profile
from hub.learnt import ACKNOWLEDGMENT_REFERS
from hub.message import Refers
from hub.ports import Learnt, RouteFacts
from ops.cli.common import AsJson, ConfigFile, configuration, fail, hub, listing, plain, print_json, run, ways
from routing.decide import Step, TableRouter
from routing.table import read_rules

party = typer.Typer(no_args_is_help=True, help="Parties: list, show, check.")
agreement = typer.Typer(no_args_is_help=True, help="Agreements (CPA): import, list, show.")
route = typer.Typer(no_args_is_help=True, help="Where a document would go, and because of what.")

HerId = Annotated[str, typer.Argument(help="HER-id.")]


@party.command("list")
def list_parties(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """All parties of the party file."""
    found = read(configuration(config).registry.parties)
    columns: dict[str, Callable[[Any], object]] = {
        "HER-id": lambda p: p.her_id,
        "name": lambda p: p.name,
        "served by": lambda p: p.system or "",
        "endpoint": lambda p: p.endpoint,
        "certificates": lambda p: len(p.signing_certificates),
    }
    listing(list(found.parties.values()), as_json, columns, "no parties")


@party.command("show")
def show_party(her_id: HerId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """One party with its certificates."""

    async def work() -> tuple[Any, list[Any], Refers, Learnt | None]:
        from ops.certs.check import rows

        async with hub(config) as built:
            learnt = [one for one in await built.kit.store.learnt() if one.her_id == her_id]
            shown = next((one for one in learnt if one.fact == ACKNOWLEDGMENT_REFERS), None)
            certificates = [row for row in rows(built.kit) if row.her_id == her_id]
            return built.directory.party(her_id), certificates, built.directory.acknowledgment_refers(her_id), shown

    found, certificates, refers, shown = run(work())
    if found is None:
        fail(f"HER-id {her_id} is not known here; see: samhub party list")
    if as_json:
        learnt = {"acknowledgment_refers": refers, "its_acknowledgments_refer": plain(shown)}
        print_json({**plain(found), **learnt, "certificates": plain(certificates)})
        return
    print(f"HER-id      {found.her_id}\nname        {found.name}\nenterprise  {found.organisation_her_id}")
    print(f"served by   {found.system or '(a partner)'}\nendpoint    {found.endpoint or '(none)'}")
    if not found.local:
        print(f"receipts    acknowledgment_refers {refers}; {_shown(shown)}")
    for row in certificates:
        print(f"{row.use:<11} {row.state}, {row.days_left} days left {row.because}".rstrip())


def _shown(learnt: Learnt | None) -> str:
    """What its Acknowledgments were seen to have in MessageData."""
    if learnt is None:
        return "no proven Acknowledgment of it has been seen"
    has = "have" if learnt.value == "yes" else "have no"
    return f"its own {has} MessageData/RefToMessageId, seen {learnt.at:%Y-%m-%d %H:%M} UTC"


@party.command("check")
def check_party(her_id: HerId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Pings a partner and tests its certificates, address and agreement. Exit 1 when anything is wrong."""
    from ops.look.party import Looked, checked

    async def work() -> list[Looked]:
        async with hub(config) as built:
            return await checked(her_id, built.kit, ways(built.configuration))

    findings = run(work())
    for name, good, words in findings:
        if as_json:
            print_json({"what": name, "good": good, "because": words})
        else:
            print(f"{'good ' if good else 'WRONG'} {name}: {words}")
    if not all(good for _, good, _ in findings):
        raise typer.Exit(1)


@agreement.command("import")
def import_agreement(
    files: Annotated[list[Path], typer.Argument(help="CPA or CPP files.", exists=True)], config: ConfigFile = None
) -> None:
    """Reads CPA and CPP files, says what they hold and what of it is not followed, and copies them to the folder."""
    folder = configuration(config).registry.agreements

    async def work() -> None:
        for file in files:
            for line in cpas.in_words(cpas.bring_in(file, folder)):
                print(line)

    run(work())
    print(f"{len(files)} brought in to {folder}; a running hub reads them by: samhub reload")


@agreement.command("list")
def list_agreements(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """All CPAs, and CPPs under the HER-id of their party, with what of them is not followed and what happens then.

    Exit 1 when a file cannot be used, or asks for a confidentiality that cannot be kept here.
    """
    found = cpas.read_folder(configuration(config).registry.agreements)
    columns: dict[str, Callable[[Any], object]] = {
        "CPAId": lambda c: getattr(c, "cpa_id", "(CPP)"),
        "status": lambda c: _in_force(c, datetime.now(UTC)),
        "from": lambda c: getattr(c, "start", None),
        "to": lambda c: getattr(c, "end", None),
        "parties": lambda c: ", ".join(her for p in cpas.parties(c) for her in p.her_ids),
    }
    all_of_them: list[Cpa | Profile] = [*found.agreements.values(), *found.profiles.values()]
    remarks = [(one, judged(one)) for one in all_of_them]
    if as_json:
        for one, several in remarks:
            print_json({**plain(one), "in_force": _in_force(one, datetime.now(UTC)), "remarks": plain(several)})
    else:
        listing(all_of_them, as_json, columns, "no agreements; what the party file says holds")
        for one, several in remarks:
            for remark in several:
                print(f"{cpas.name(one)}: {remark.severity}: {remark}")
    for name, because in found.broken.items():
        print(f"{name}: {because}")
    if found.broken or any(remark.severity == "refused" for _, several in remarks for remark in several):
        raise typer.Exit(1)


def _in_force(found: Cpa | Profile, now: datetime) -> str:
    """What it says of itself, unless its time has not come or is over."""
    start, end = getattr(found, "start", None), getattr(found, "end", None)
    if end is not None and end <= now:
        return "ended"
    return "not begun" if start is not None and start > now else str(getattr(found, "status", ""))


@agreement.command("show")
def show_agreement(cpa_id: str, config: ConfigFile = None) -> None:
    """What one CPA says, or the CPP of a party by its HER-id."""
    folder = cpas.read_folder(configuration(config).registry.agreements)
    found = folder.agreements.get(cpa_id) or folder.profiles.get(cpa_id)
    if found is None:
        fail(f"there is no CPA {cpa_id}; see: samhub agreement list")
    for line in cpas.in_words(found):
        print(line)


@route.command("explain")
def explain(
    file: Annotated[Path, typer.Argument(help="A document.", exists=True)],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Every rule that would be looked at for each receiver, and which one decides."""

    async def work() -> list[tuple[str, list[Step]]]:
        root = xml.parse(file.read_bytes(), xml.Bounds.for_document(64_000_000))
        if isinstance(root, xml.XmlFault):
            fail(f"{file}: {root.text}")
        async with hub(config) as built:
            document = documents.read(root)
            routes = built.configuration.registry.routes
            rules = read_rules(routes.read_text("utf-8")) if routes.exists() else ()
            router = TableRouter(rules, built.directory.system)
            receivers = [a.her_id for a in (document.receiver, *document.copies) if a.her_id]
            facts = [_facts(document, her, file.stat().st_size, built) for her in receivers]
            return [(her, router.explain(one)) for her, one in zip(receivers, facts, strict=True)]

    explained = run(work())
    if not explained:
        fail(f"{file}: no receiver with a HER-id in the document")
    for her, steps in explained:
        if as_json:
            print_json({"receiver": her, "steps": plain(steps)})
            continue
        print(f"to HER-id {her}:")
        for step in steps:
            print(f"  {'decides' if step.matched else 'no     '}  {step.rule}: {step.because}")


def _facts(document: documents.Document, her_id: str, size: int, built: Any) -> RouteFacts:
    service, action, _, _ = documents.service_action_role(document)
    found = built.directory.party(her_id)
    standard = built.kit.schemas.find(document.namespace)
    sender = built.directory.party(document.sender.her_id)
    return RouteFacts(
        direction="out" if sender is not None and sender.local else "in",
        sender=document.sender.her_id,
        receiver=her_id,
        receiver_local=bool(found and found.local),
        receiver_known=found is not None,
        type_code=document.type_code,
        version=standard.version if standard else "",
        namespace=document.namespace,
        service=service,
        action=action,
        size=size,
        at=built.kit.clock.now(),
        kind="apprec" if document.kind == "apprec" else "business",
        system=(found.system or "") if found else "",
        endpoint=found.endpoint if found else "",
        urgent=document.priority == "H",
    )
