"""What Norwegian users read, in one catalogue: rules, schema mistakes, and the small words that are put into them."""

from __future__ import annotations

import re

#: Content rule → what is wrong, and what to do.
RULES: dict[str, tuple[str, str]] = {
    "HODE-01": ("MsgId {about}", "Gi dokumentet en MsgId som er en UUID."),
    "HODE-02": ("GenDate er mer enn et døgn fram i tid", "Kontroller klokken i fagsystemet."),
    "HODE-03": ("MIGversion er ikke «v1.2 2006-05-24»", "Skriv versjonen av hodemeldingen som brukes."),
    "HODE-04": ("Type «{about}» finnes ikke i kodeverk 8279", "Bruk koden som standarden angir."),
    "HODE-05": ("Type passer ikke til dokumentet ({about})", "Bruk den Type som hører til standarden."),
    "HODE-06": (
        "en RefDoc sier XML, men inneholder ikke noe dokument, og ingen annen gjør det",
        "Legg fagmeldingen i RefDoc/Content.",
    ),
    "HODE-07": ("ProcessingStatus er {about}: skal ikke i pasientens journal", "Må ikke importeres som ekte."),
    "HODE-08": ("MsgId {about}", "Nyere versjoner av standarden krever en UUID."),
    "SAM-01": ("ConversationRef viser til dokumentet selv", "Vis til forrige og til første melding."),
    "SAM-02": ("en {about} mangler ConversationRef", "Vis til meldingen som besvares."),
    "SAM-03": (
        "ConversationRef mangler RefToParent eller RefToConversation",
        "Oppgi begge; de er like når bare én melding går foran.",
    ),
    "END-01": ("status «{about}» er verken ny, endret eller kansellert", "Bruk N, M eller C."),
    "END-02": ("{about} kan ikke endres, bare sendes på nytt eller kanselleres", "Kanseller og send en ny."),
    "END-03": ("endring eller kansellering uten dokument-id", "Gjenta id-en til dokumentet det gjelder."),
    "ADR-01": (
        "dokumentets avsender er ikke {about}",
        "Begge må angi samme kommunikasjonspart (HER-id på nivå 2).",
    ),
    "ADR-02": (
        "ingen av dokumentets mottakere er {about}",
        "Begge må angi samme kommunikasjonspart (HER-id på nivå 2).",
    ),
    "ADR-03": ("{about} er oppgitt", "Oppgi HER-id for virksomheten og for kommunikasjonsparten."),
    "ADR-04": ("et navn mangler", "Oppgi navnene slik de står i Adresseregisteret."),
    "ADR-05": ("samme mottaker står to ganger", "Nevn hver mottaker én gang."),
    "ADR-06": ("TypeId er ikke en kode i kodeverk 9051 eller 8116", "Skriv kode og OID for kodeverket."),
    "ADR-07": ("en identifikator av type {about} kan ikke være riktig", "Kontroller nummeret."),
    "PAS-01": (
        "pasienten er ikke godt nok identifisert: {about}",
        "Oppgi navn, og fødselsnummer, D-nummer, felles hjelpenummer, eller fødselsdato og kjønn.",
    ),
    "PAS-02": ("et nummer av type {about} har ikke gyldige kontrollsifre", "Kontroller nummeret."),
    "VED-01": ("et vedlegg mangler {about}", "Skriv hva det er, slik at det kan vises."),
    "VED-02": ("et vedlegg er tomt og viser ikke til noe", "Legg det i Content/Base64Container."),
    "VED-03": ("et XML-vedlegg er pakket i base64", "Legg ved XML som det er."),
    "VED-04": (
        "vedlegget er av en type som {about} ikke tar",
        "Send PDF (eller, i en dialog, JPEG eller PNG).",
    ),
    "VED-05": ("dokumentet er {about}, mer enn anbefalt", "Send mindre, eller spør om mottakeren kan ta imot det."),
    "VED-06": ("et vedlagt dokument er komprimert ({about})", "Få mottakere kan pakke det ut: send det som det er."),
    "KODE-01": ("en kode finnes ikke i kodeverk {about}", "Bruk en kode fra kodeverket."),
    "KODE-02": ("en kode finnes ikke i kodeverk {about}", "Bruk en kode fra kodeverket."),
    "KODE-03": ("en kode finnes ikke i kodeverk {about}", "Bruk en kode fra kodeverket."),
    "KVIT-01": ("en kode finnes ikke i kodeverk {about}", "Bruk en kode fra kodeverket."),
    "KVIT-02": ("Status og Error motsier hverandre ({about})", "OK har ingen Error; Avvist har minst én."),
    "KVIT-03": ("en kode finnes ikke i kodeverk {about}", "Bruk en kode fra kodeverket."),
    "KVIT-04": ("V og S i Error har byttet plass", "Skriv koden i V og kodeverkets OID i S."),
    "KONV-01": (
        "eb:Schema angir en annen {about} enn dokumentets",
        "Angi navnerom og versjon for dokumentet selv.",
    ),
    "KONV-02": ("eb:Action er ikke {about}, slik dokumentets type tilsier", "Bruk koden for dokumentets type."),
}

#: Kind of schema mistake (hub.formats.schema_words) → what is wrong, and what to do.
MISTAKES: dict[str, tuple[str, str]] = {
    "lacks": ("«{element}» mangler «{expected}»", "Legg til «{expected}»; standarden krever det der."),
    "lacks-one-of": ("«{element}» mangler ett av {expected}", "Legg til ett av dem; standarden krever det der."),
    "misplaced": (
        "«{element}» hører ikke hjemme her; «{expected}» ventes",
        "«{expected}» mangler foran, eller «{element}» står i feil rekkefølge.",
    ),
    "misplaced-one-of": (
        "«{element}» hører ikke hjemme her; ett av {expected} ventes",
        "Noe mangler foran, det står i feil rekkefølge, eller navnet er feilskrevet.",
    ),
    "too-many": (
        "«{element}» hører ikke hjemme her; ikke mer kan følge",
        "Det står der en gang for mye, på feil sted, eller navnet er feilskrevet.",
    ),
    "no-attribute": ("«{element}» mangler attributtet «{attribute}»", "Legg til «{attribute}»."),
    "foreign-attribute": (
        "«{element}» kan ikke ha attributtet «{attribute}»",
        "Fjern det, eller kontroller skrivemåten.",
    ),
    "text-between": (
        "«{element}» har tekst mellom elementene sine",
        "Fjern teksten, eller legg den i elementet den hører til.",
    ),
    "not-empty": ("«{element}» skal være tomt, men har innhold", "Skriv verdien i attributtene."),
    "no-elements": ("«{element}» inneholder elementer, men kan bare ha en verdi", "Fjern elementene."),
    "not-a": ("verdien i «{element}» er ikke {type}", "Skriv {example}."),
    "attribute-not-a": ("attributtet «{attribute}» i «{element}» er ikke {type}", "Skriv {example}."),
    "pattern": ("verdien i «{element}» har ikke formen standarden krever", "Formen er {expected}."),
    "not-listed": ("verdien i «{element}» er ikke blant de tillatte", "Tillatt: {expected}."),
    "too-long": ("verdien i «{element}» er for lang", "Høyst {expected} tegn."),
    "too-short": ("verdien i «{element}» er for kort eller tom", "Minst {expected} tegn."),
    "wrong-length": ("verdien i «{element}» har feil lengde", "Nøyaktig {expected} tegn."),
    "too-many-digits": ("verdien i «{element}» har for mange siffer", "Høyst {expected} siffer i alt."),
    "too-many-decimals": ("verdien i «{element}» har for mange desimaler", "Høyst {expected} etter punktum."),
    "too-small": ("verdien i «{element}» er for liten", "Minst {expected}."),
    "too-large": ("verdien i «{element}» er for stor", "Høyst {expected}."),
    "not-above": ("verdien i «{element}» er for liten", "Mer enn {expected}."),
    "not-below": ("verdien i «{element}» er for stor", "Mindre enn {expected}."),
    "fixed": ("verdien i «{element}» er ikke den som er fastsatt", "Den må være {expected}."),
    "unknown-root": (
        "«{element}» er ikke et dokument etter en standard som er kjent her",
        "Kontroller navnerom og rotelement.",
    ),
    "unknown-content": (
        "«{element}» er ikke kjent i noe skjema her",
        "Kontroller navnerommet, eller importer skjemaet det hører til.",
    ),
    "same-id": ("identifikatoren i «{element}» finnes to ganger", "Hver identifikator må være sin egen."),
    "no-such-id": ("«{element}» viser til en identifikator som ikke finnes", "Vis til en som finnes i dokumentet."),
    "other": ("«{element}» er ikke slik skjemaet krever", "Se standarden."),
}

#: Small words that rules and mistakes put into their sentences; what is not here is a code or a name and stays.
WORDS: dict[str, str] = {
    "is missing": "mangler",
    "is not a UUID": "er ikke en UUID",
    "the envelope's From": "konvoluttens From",
    "the envelope's To": "konvoluttens To",
    "no HER-id": "ingen HER-id",
    "only one of the two HER-ids": "bare én av de to HER-id-ene",
    "Patient is missing": "Patient mangler",
    "the name is missing": "navnet mangler",
    "neither a number of eleven digits, nor date of birth and sex": "verken elleve siffer, eller fødselsdato og kjønn",
    "MimeType and Description": "MimeType og Description",
    "OK, but with Error": "OK, men med Error",
    "Error is missing": "Error mangler",
    "namespace": "navnerom",
    "version": "versjon",
    "true or false": "true eller false",
    "a date and time": "dato og klokkeslett",
    "a date and time such as 2026-01-31T12:00:00": "dato og klokkeslett, for eksempel 2026-01-31T12:00:00",
    "a date": "en dato",
    "a date such as 2026-01-31": "en dato, for eksempel 2026-01-31",
    "a time of day": "et klokkeslett",
    "a time such as 12:00:00": "et klokkeslett, for eksempel 12:00:00",
    "a year": "et årstall",
    "a year such as 2026": "et årstall, for eksempel 2026",
    "a month": "en måned",
    "a month such as 2026-01": "en måned, for eksempel 2026-01",
    "a duration": "en varighet",
    "a duration such as PT12H": "en varighet, for eksempel PT12H",
    "a whole number": "et helt tall",
    "a whole number from 0": "et helt tall fra 0",
    "a whole number from 1": "et helt tall fra 1",
    "a number": "et tall",
    "a number with a point, such as 1.5": "et tall med punktum, for eksempel 1.5",
    "base64": "base64",
    "base64 without other signs": "base64 uten andre tegn",
    "an address": "en adresse",
    "an address (URI)": "en adresse (URI)",
    "an identifier": "en identifikator",
    "a name without blanks that begins with a letter, used once": "et navn uten mellomrom som begynner med en bokstav",
    "a reference to an identifier": "en referanse til en identifikator",
    "an identifier that the document has": "en identifikator som finnes i dokumentet",
    "a name": "et navn",
    "a name without blanks or colons": "et navn uten mellomrom eller kolon",
    "a word": "et ord",
    "one word without blanks": "ett ord uten mellomrom",
    "a language": "et språk",
    "a language such as no": "et språk, for eksempel no",
    "a start tag and an end tag have different names": "en startkode og en sluttkode har ulike navn",
    "the document ends before all elements are closed": "dokumentet slutter før alle elementer er lukket",
    "there is something after the end of the document": "det står noe etter slutten på dokumentet",
    "the document does not begin with an element": "dokumentet begynner ikke med et element",
    "the value of an attribute is not in quotes": "verdien i et attributt står ikke i anførselstegn",
    "an attribute has no value": "et attributt har ingen verdi",
    "an element has the same attribute twice": "et element har samme attributt to ganger",
    "an entity that XML does not know (write the letter itself)": "en entitet XML ikke kjenner (skriv selve tegnet)",
    "an entity lacks its semicolon": "en entitet mangler semikolon",
    "a name is missing, or an & or < stands alone (write &amp; or &lt;)": (
        "et navn mangler, eller & eller < står alene (skriv &amp; eller &lt;)"
    ),
    "a control character, which XML does not allow": "et kontrolltegn, som XML ikke tillater",
    "a < in the value of an attribute (write &lt;)": "en < i verdien til et attributt (skriv &lt;)",
    "a tag is not closed by >": "en kode er ikke lukket med >",
    "an end tag is missing": "en sluttkode mangler",
    "a comment is not closed": "en kommentar er ikke lukket",
    "a CDATA section is not closed": "en CDATA-del er ikke lukket",
    "the XML declaration is not at the very beginning": "XML-deklarasjonen står ikke aller først",
    "a blank is missing between two attributes": "et mellomrom mangler mellom to attributter",
    "]]> in text (write ]]&gt;)": "]]> i tekst (skriv ]]&gt;)",
    "bytes that are not of the declared encoding": "byte som ikke hører til den oppgitte tegnkodingen",
    "an encoding that is not known": "en tegnkoding som ikke er kjent",
    "a prefix whose namespace is not declared": "et prefiks uten deklarert navnerom",
    "a moment": "et tidspunkt",
    "a day or a moment, such as 2026-01-31 or 2026-01-31T12:00:00": (
        "en dag eller et tidspunkt, for eksempel 2026-01-31 eller 2026-01-31T12:00:00"
    ),
    "what the standard asks for": "det standarden krever",
    "what the standard names": "det standarden angir",
}

#: What else a validator says (ops.look): kind → what is wrong, and what to do.
SAID: dict[str, tuple[str, str]] = {
    "not-well-formed": ("ikke velformet XML: {about}", "Rett feilen på linjen og kolonnen som er nevnt."),
    "doctype": ("dokumentet har en DOCTYPE eller entitet", "Send XML uten DOCTYPE."),
    "encoding": ("tegnkodingen støttes ikke, eller stemmer ikke", "Bruk UTF-8."),
    "hostile": ("dokumentet er bygget for å være kostbart: {about}", "Se dybde, navnerom og attributter."),
    "too-large": ("større enn huben tar imot: {about}", "Del opp eller send mindre."),
    "unchecked": ("intet skjema her for {about}: ikke kontrollert", "Importer skjemaet: samhub schemas import."),
    "mime": ("MIME-pakken er ikke som den skal: {about}", "Se regelen som er nevnt."),
    "envelope": ("{about}", "Se regelen i HITS 1172."),
    "agreed": ("følges ikke her: {about}", "Se docs/agreements.md."),
    "cpa": ("avtalen kan ikke brukes: {about}", "Be om en ny avtale."),
    "encrypted": ("innholdet er kryptert og ikke kontrollert", "Dekrypter det, og kontroller dokumentet for seg."),
}

_QUOTED = re.compile(r"'([^']*)'")


def rule(rule_id: str, about: str) -> tuple[str, str]:
    """What is wrong by a content rule, and what to do."""
    text, hint = RULES[rule_id]
    return text.format(about=WORDS.get(about, about)), hint


def mistake(kind: str, names: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """What is wrong by the schema, and what to do."""
    words = {name: WORDS.get(value) or _QUOTED.sub(r"«\1»", value) for name, value in names}
    text, hint = MISTAKES[kind]
    return text.format(**words), hint.format(**words)


def said(kind: str, about: str) -> tuple[str, str]:
    """What else a validator says."""
    text, hint = SAID[kind]
    return text.format(about=WORDS.get(about, about)), hint
