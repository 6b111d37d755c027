"""What is wrong with an encrypted connection, found in the exceptions of any library."""

import ssl
from collections.abc import Iterator
from enum import Enum

from chat.cli.doctor.findings import Finding, failure

# https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/#error-codes
NOT_YET_VALID, EXPIRED = 9, 10
UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
OTHER_NAME = frozenset({62, 64})


class TlsProblem(Enum):
    """What is wrong, as the end of a sentence about the server."""

    EXPIRED = "its certificate has expired"
    NOT_YET_VALID = "its certificate is not valid yet"
    UNKNOWN_AUTHORITY = "its certificate is signed by an unknown authority"
    OTHER_NAME = "its certificate is for another host name"
    INVALID = "its certificate is not valid"
    NO_TLS = "it does not use TLS at this port"


ADVICE = {
    TlsProblem.EXPIRED: "Renew the certificate, and let the server load it.",
    TlsProblem.NOT_YET_VALID: "Check the clocks of this host and of the one that signed it.",
    TlsProblem.OTHER_NAME: "Use the host name of the certificate, or get one for this host name.",
    TlsProblem.INVALID: "Replace the certificate.",
    TlsProblem.NO_TLS: "Correct the port, or use an address without TLS.",
}


def check_tls(name: str, error: BaseException, authority_advice: str) -> Finding | None:
    """Return the finding about a server whose encryption failed, None for other errors.

    `authority_advice` is how this kind of server gets to be trusted.
    """
    problem = find_tls_problem(error)
    if problem is None:
        return None
    return failure(f"{name}: {problem.value}", ADVICE.get(problem, authority_advice))


def find_tls_problem(error: BaseException) -> TlsProblem | None:
    """Return what is wrong, if a TLS error caused this one."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _problem_of(cause.verify_code)
        if isinstance(cause, ssl.SSLError) and cause.reason in NO_TLS_REASONS:
            return TlsProblem.NO_TLS
    return None


NO_TLS_REASONS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


def _problem_of(code: int) -> TlsProblem:
    if code == EXPIRED:
        return TlsProblem.EXPIRED
    if code == NOT_YET_VALID:
        return TlsProblem.NOT_YET_VALID
    if code in UNKNOWN_AUTHORITY:
        return TlsProblem.UNKNOWN_AUTHORITY
    return TlsProblem.OTHER_NAME if code in OTHER_NAME else TlsProblem.INVALID


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those it wraps: urllib3's have them as arguments or as `reason`."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        wrapped = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        waiting += [inner for inner in wrapped if isinstance(inner, BaseException)]
