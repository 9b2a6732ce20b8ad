"""Business documents that travel in a MsgHead: dialogues and messages of nursing and care."""

from __future__ import annotations

from collections.abc import Callable

from ops.samples.msghead import OID

_SENTENCE = "Dette er en oppdiktet tekst om en oppdiktet person, laget for å prøve meldingsutvekslingen."


def enquiry(version: str) -> Callable[[str], str]:
    """A dialogue's question."""

    def content(_: str) -> str:
        return (
            f'<Dialogmelding xmlns="http://www.kith.no/xmlstds/dialog/{version}"><Foresporsel>'
            f'<TypeForesp V="5" DN="Forespørsel om helseopplysninger" S="{OID}.8126"/>'
            f"<Sporsmal>Kan dere sende siste vurdering? {_SENTENCE}</Sporsmal></Foresporsel></Dialogmelding>"
        )

    return content


def note(version: str) -> Callable[[str], str]:
    """A dialogue's note or answer."""

    def content(_: str) -> str:
        return (
            f'<Dialogmelding xmlns="http://www.kith.no/xmlstds/dialog/{version}"><Notat>'
            f'<TemaKodet V="6" DN="Forespørsel om pasient" S="{OID}.7322"/>'
            f"<TekstNotatInnhold>{_SENTENCE}</TekstNotatInnhold></Notat></Dialogmelding>"
        )

    return content


def shipment(namespace: str, root: str, component: str) -> Callable[[str], str]:
    """A PLO message that withdraws an earlier one: the shortest that each of them allows."""

    def content(_: str) -> str:
        return (
            f'<p:{root} xmlns:p="http://www.kith.no/xmlstds/po/{namespace}"'
            f' xmlns="http://www.kith.no/xmlstds/po/poKomponent/{component}"><InformasjonOmForsendelsen>'
            '<Forsendelsesstatus V="C" DN="Kansellering"/><SvarPaaForesporsel>false</SvarPaaForesporsel>'
            f"</InformasjonOmForsendelsen></p:{root}>"
        )

    return content


def admitted(component: str) -> Callable[[str], str]:
    """A hospital tells the municipality that a patient has been admitted."""

    def content(at: str) -> str:
        return (
            f'<p:Pasientlogistikk xmlns:p="http://www.kith.no/xmlstds/po/Pasientlogistikk/{component}"'
            f' xmlns="http://www.kith.no/xmlstds/po/poKomponent/{component}"><InformasjonOmForsendelsen>'
            '<Forsendelsesstatus V="N" DN="Ny"/><SvarPaaForesporsel>false</SvarPaaForesporsel>'
            f"</InformasjonOmForsendelsen><p:MeldingInnlagtPasient><TidsfestetHendelse>"
            f'<Hendelsekode V="1" DN="Pasient innlagt" S="{OID}.9121"/><TidspunktForHendelse V="{at}"/>'
            "<Anslag>false</Anslag></TidsfestetHendelse></p:MeldingInnlagtPasient></p:Pasientlogistikk>"
        )

    return content


def absence(at: str) -> str:
    """PLO 1.5: somebody is away, and the message has been passed on."""
    return (
        '<p:MeldingFravar xmlns:p="http://www.kith.no/xmlstds/po/MeldingFravar/2009-06-30"'
        ' xmlns="http://www.kith.no/xmlstds/po/poKomponent/2009-06-30"><InformasjonOmForsendelsen>'
        '<Forsendelsesstatus V="N" DN="Ny"/></InformasjonOmForsendelsen><Fraversassistent>'
        "<MottakerFravarende>true</MottakerFravarende><MeldingVideresendt>true</MeldingVideresendt>"
        f"<FravarendeFraDato>{at[:10]}</FravarendeFraDato><FravarendeTilDato>{at[:10]}</FravarendeTilDato>"
        "</Fraversassistent></p:MeldingFravar>"
    )
