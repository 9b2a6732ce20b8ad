"""What tokens of an issuer are held to."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hub.formats import address


def may_be_asked(url: str) -> str:
    """Why an issuer may not be asked there; empty when it may: https, or this machine."""
    if why := address.fault(url):
        return why
    return "is neither https nor on this machine" if address.exposed(url) else ""


class TokenSettings(BaseModel):
    """Access tokens bound to a key (DPoP, RFC 9449) for record systems, as HelseID issues them; off while no issuer is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(
        "",
        description="The issuer, whose keys are found by its discovery, such as https://helseid-sts.nhn.no; empty: no tokens are taken.",
    )
    audience: str = Field("nhn:msh", description="Whom a token must be for (aud).", min_length=1)
    scope: str = Field("nhn:msh/api", description="What a token must be good for (scope).", min_length=1)
    allow_api_keys: bool = Field(False, description="API keys and client certificates are taken beside tokens.")
    clock_skew_seconds: float = Field(5, description="How far the issuer's clock may be from ours.", ge=0, le=300)
    answer_seconds: float = Field(5, description="How long the issuer may take to answer.", gt=0, le=60)
    jwks_max_age_seconds: float = Field(
        3600, description="After so long its keys are asked for anew; a key that it has withdrawn ends then.", gt=0
    )
    jwks_stale_seconds: float = Field(
        86_400,
        description="For so long the keys that are known hold while it cannot be asked; then nobody gets in.",
        gt=0,
    )

    @field_validator("issuer")
    @classmethod
    def _askable(cls, issuer: str) -> str:
        if issuer and (why := may_be_asked(issuer)):
            raise ValueError(f"tokens.issuer {why}")
        return issuer
