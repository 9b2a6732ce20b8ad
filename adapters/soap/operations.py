"""The operations of the contract, told to the facade of record systems: its names on one side, the kernel's on the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from adapters.soap.port import Place, Refused
from hub.errors import StoreUnavailable
from hub.formats.languages import wanted
from hub.message import Language, Transport
from hub.ports import Clock
from hub.record_systems.error_codes import error_code
from hub.record_systems.facade import MOST, RecordSystems, unavailable
from hub.record_systems.values import AppRecStatus, Caller, Fault, Info, Order, Said, Standing
from hub.record_systems.values import Refused as NotFollowed

Values = Mapping[str, Any]
Verb = Callable[[Caller, Values], Awaitable[dict[str, Any]]]
#: So many are told at once where the caller does not say.
USUAL = 100


class FacadeOperations:
    """See adapters.soap.port.Operations."""

    def __init__(self, systems: RecordSystems, clock: Clock, software: str) -> None:
        """`software` is what Ping calls us."""
        self._systems, self._clock, self._software = systems, clock, software
        self._verbs: dict[str, Verb] = {
            "Ping": self._ping,
            "SubmitMessage": self._submit,
            "GetMessageStatus": self._status,
            "ListMessages": self._list,
            "FetchMessage": self._fetch,
            "ConfirmMessages": self._confirm,
            "SubmitAppRec": self._apprec,
            "GetEvents": self._events,
        }

    async def identified(self, system_id: str, key: str) -> Caller | None:
        """The record system with this id, if the API key is its own."""
        return self._systems.by_name(system_id, key)

    async def certified(self, digest: str) -> Caller | None:
        """The record system with this client certificate."""
        return self._systems.by_certificate(digest)

    async def busy(self, caller: Caller, accept_language: str) -> Refused | None:
        """Why nothing new may be taken now, asked before a document is read."""
        said = await self._systems.busy()
        return _refused(said, wanted(accept_language, caller.system.language)) if said is not None else None

    async def unreadable(self, caller: Caller, because: str) -> None:
        """Journals an order that could not be read."""
        await self._systems.unreadable(caller, Said("refused", "request", because))

    async def call(self, operation: str, caller: Caller, values: Values, accept_language: str) -> dict[str, Any]:
        """The members of `result`. Raises Refused, in the language that is asked for."""
        language = wanted(accept_language, caller.system.language)
        try:
            return await self._verbs[operation](caller, values)
        except NotFollowed as error:
            raise _refused(error.said, language) from None
        except StoreUnavailable as error:
            raise _refused(unavailable(error), language) from None

    async def _ping(self, caller: Caller, _: Values) -> dict[str, Any]:
        hers = sorted(int(her) for her in caller.her_ids if her.isdigit())
        return {"system": caller.id, "herId": hers, "software": self._software, "time": self._clock.now()}

    async def _submit(self, caller: Caller, given: Values) -> dict[str, Any]:
        receivers = tuple(str(her) for her in given["receiverHerId"])
        told = {name: given.get(name) or "" for name in ("messageType", "applicationName", "applicationVersion")}
        order = Order(
            given["document"],
            "soap",
            str(given["senderHerId"]),
            receivers,
            message_type=told["messageType"],
            transport=Transport(
                application_name=told["applicationName"], application_version=told["applicationVersion"]
            ),
        )
        said = await self._systems.submit(caller, order)
        if said.decided != "taken":
            raise NotFollowed(said)
        return {
            "messageId": said.message_id,
            "businessDocumentId": said.business_document_id,
            "duplicate": said.duplicate,
        }

    async def _status(self, caller: Caller, given: Values) -> dict[str, Any]:
        found = await self._systems.status(caller, given["messageId"])
        return {"messageId": found.message_id, "receiver": [_standing(one) for one in found.receivers]}

    async def _list(self, caller: Caller, given: Values) -> dict[str, Any]:
        listing = await self._systems.unread(caller, _hers(given["herId"]), _most(given))
        return {"message": [_info(one) for one in listing.messages], "more": listing.more}

    async def _fetch(self, caller: Caller, given: Values) -> dict[str, Any]:
        info = await self._systems.message(caller, given["messageId"])
        return {"message": _info(info), "document": await self._systems.document(caller, info.record.id)}

    async def _confirm(self, caller: Caller, given: Values) -> dict[str, Any]:
        done = await self._systems.confirm(caller, str(given["herId"]), given["messageId"])
        language = caller.system.language
        refused = [{"where": own, "what": f"{said.code}: {said.words(language)[0]}"} for own, said in done.refused]
        return {"confirmed": done.count, "refused": refused}

    async def _apprec(self, caller: Caller, given: Values) -> dict[str, Any]:
        faults = [
            Fault(e["code"], e.get("oid") or "", e.get("description") or "", e.get("details") or "")
            for e in given["error"]
        ]
        status = AppRecStatus(given["status"])
        made = await self._systems.answer(caller, str(given["herId"]), given["messageId"], status, faults)
        return {"messageId": made.message_id, "businessDocumentId": made.business_document_id}

    async def _events(self, caller: Caller, given: Values) -> dict[str, Any]:
        found = await self._systems.events(caller, _hers(given["herId"]), given["afterOffset"], _most(given))
        told = [
            {
                "offset": one.offset,
                "type": str(one.type),
                "messageId": one.message_id or None,
                "herId": int(one.receiver),
                "triggeredByHerId": _number(one.triggered_by),
                "createdAt": one.at,
                "description": one.description or None,
            }
            for one in found.events
        ]
        return {"event": told, "more": found.more}


def _refused(said: Said, language: Language) -> Refused:
    reason, hint = said.words(language)
    places = [Place(member, what) for member, what in said.members]
    for one in said.places:
        text, advice = one.words(language)
        where = f"{'linje' if language == 'nb' else 'line'} {one.line}:{one.column}" if one.line else one.element
        places.append(Place(where, f"{text} [{one.rule}] {advice}"))
    return Refused(
        said.code,
        reason,
        hint,
        try_again=said.decided == "later",
        error_code=error_code(said),
        places=tuple(places),
        client_fault=said.decided == "refused",
        language=language,
    )


def _hers(given: Sequence[int]) -> list[str]:
    return [str(her) for her in given]


def _most(given: Values) -> int:
    """At most what is told at once; who asks for more is told that there is more."""
    return min(given.get("max") or USUAL, MOST)


def _number(her_id: str) -> int | None:
    return int(her_id) if her_id.isdigit() and int(her_id) > 0 else None


def _info(info: Info) -> dict[str, Any]:
    record = info.record
    return {
        "messageId": record.id,
        "senderHerId": int(record.from_her),
        "receiverHerId": [int(her) for her in info.receivers],
        "businessDocumentId": record.msg_id or None,
        "businessDocumentGenDate": record.gen_date,
        "businessDocumentMsgType": record.type_code or None,
        "isAppRec": record.kind == "apprec",
    }


def _standing(one: Standing) -> dict[str, Any]:
    apprec = one.apprec
    told = None
    if apprec is not None:
        errors = [
            {
                "code": f.code,
                "oid": f.oid or None,
                "description": f.description or None,
                "details": f.details or None,
            }
            for f in apprec.faults
        ]
        told = {"status": str(apprec.status), "error": errors, "appRecMessageId": apprec.message_id or None}
    return {
        "receiverHerId": int(one.receiver),
        "transportDeliveryState": str(one.transport),
        "sent": one.sent,
        "appRec": told,
        "state": one.state,
        "code": one.code,
        "because": one.because or None,
    }
