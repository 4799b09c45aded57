"""Why a connection failed or was lost, in the words of the library that noticed it, and what to do about it."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from ..exhaustion import causes, shortage
from ..settings import Settings
from .connections import Proxy

CERTIFICATE_ALERTS: Final = {
    f"{version}_ALERT_{name}"
    for version, names in {
        "SSLV3": "NO_CERTIFICATE BAD_CERTIFICATE UNSUPPORTED_CERTIFICATE CERTIFICATE_REVOKED CERTIFICATE_EXPIRED "
        "CERTIFICATE_UNKNOWN",
        "TLSV1": "UNKNOWN_CA ACCESS_DENIED",
        "TLSV13": "CERTIFICATE_REQUIRED",
    }.items()
    for name in names.split()
}
"""OpenSSL's names of the alerts by which a server refuses a client's certificate, or the want of one.

A server sends them when it reads the client's certificate: under TLS 1.3 after the client has sent its request, and
before the server reads any of it.
"""

_HANDSHAKE_FAILURE: Final = "SSLV3_ALERT_HANDSHAKE_FAILURE"

_HELP: Final = {
    "WRONG_VERSION_NUMBER": "the port does not speak TLS: correct the host's scheme or port",
    "HTTP_REQUEST": "the port does not speak TLS: correct the host's scheme or port",
    "UNSUPPORTED_PROTOCOL": "the server offers no TLS 1.2 or newer",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server accepts none of this Python's TLS versions",
    "TLSV1_ALERT_NO_APPLICATION_PROTOCOL": "the server does not speak HTTP/1.1: use a host that does",
}

# OpenSSL's X509_V_ERR_…
_NOT_YET_VALID, _EXPIRED, _SELF_SIGNED, _OTHER_NAMES = 9, 10, 18, (62, 64)

_MOST_WORDS: Final = 300


class Reached(IntEnum):
    """How far an attempt's connection came."""

    NOTHING = 0
    PROXY = 1
    """The proxy was asked to connect."""
    HOST = 2
    """The proxy has connected."""


class Reasons:
    """Explains errors of the network.

    Args:
        settings: what is set already.
        variables: the environment variables of the session's beginning.
    """

    def __init__(self, settings: Settings, variables: Mapping[str, str]) -> None:
        self._settings = settings
        self._variables = variables

    def no_connection(self, error: Exception, host: str, proxy: Proxy | None, reached: Reached) -> str:
        """Why nothing could be sent, and what to do."""
        if (lacking := shortage(error)) is not None:
            return f"{lacking}; raise the limit for pytest, or run fewer at once (--wisebot-concurrency)"
        if type(error).__name__ == "ConnectTimeout":
            return self.no_connection_within(f"{self._settings.connect_timeout:g} s", host, proxy, reached)
        if proxy is None or reached is Reached.HOST:
            return self._of_host(error, host)
        return self._of_proxy(error, host, proxy, reached)

    def no_connection_within(self, limit: str, host: str, proxy: Proxy | None, reached: Reached) -> str:
        """That a connection took too long."""
        if proxy is None or reached is Reached.HOST:
            return f"no connection within {limit}"
        if reached is Reached.PROXY:
            return f"{proxy} did not answer within {limit} whether it connects to {_with_port(host)}"
        return f"{proxy} cannot be reached: no connection within {limit}; {_correct(proxy, host)}"

    def lost(self, error: Exception, status: int | None) -> str:
        """Why an answer did not come, or did not come whole."""
        words = in_words(error)
        if words == "illegal request line":  # h11's words for an answer whose first byte does not print
            words = "the answer is not HTTP/1.1 (illegal request line); a server that speaks HTTP/2 alone answers so"
        return f"{f'status {status}, ' if status else ''}{words}"

    def refused_certificate(self, error: Exception, host: str) -> str | None:
        """That a server refused the client's certificate, or the want of one, before it read the request."""
        alert = next((_name(one) for one in causes(error) if isinstance(one, ssl.SSLError)), "")
        return self._about_certificate(alert, host) if alert in CERTIFICATE_ALERTS else None

    def _of_host(self, error: Exception, host: str) -> str:
        for cause in causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return f"TLS failed: {_verification(cause)}; {self._what_verifies(cause, host)}"
            if isinstance(cause, ssl.SSLError):
                return self._of_tls(cause, host)
            if type(cause).__name__ == "EndOfStream":
                return "TLS failed: the server closed the connection in the handshake"
        return _of_system(error)

    def _of_tls(self, error: ssl.SSLError, host: str) -> str:
        name = _name(error)
        if name in CERTIFICATE_ALERTS or name == _HANDSHAKE_FAILURE:
            return self._about_certificate(name, host)
        return f"TLS failed: {_spoken(name)}{f'; {_HELP[name]}' if name in _HELP else ''}"

    def _about_certificate(self, alert: str, host: str) -> str:
        settings = self._settings
        if (shown := settings.certificate_for(host)) is not None:
            return f"TLS failed: the server refused client-cert {shown} ({_spoken(alert)})"
        wants = "may want" if alert == _HANDSHAKE_FAILURE else "wants"
        unused = " (that of the environment is not for a host that an option gives)" if settings.client_cert else ""
        advice = certificate_help(settings)
        return f"TLS failed: the server {wants} a client certificate ({_spoken(alert)}); {advice}{unused}"

    def _what_verifies(self, error: ssl.SSLCertVerificationError, host: str) -> str:
        """What to do about a server's certificate that is not trusted."""
        settings = self._settings
        if error.verify_code == _EXPIRED:
            return "renew it on the server, or correct this machine's clock"
        if error.verify_code == _NOT_YET_VALID:
            return "correct this machine's clock, or the certificate on the server"
        if error.verify_code in _OTHER_NAMES:
            named = "origin" if host == settings.origin else "base-url" if host else "its address"
            return f"correct {named}, or the certificate on the server"
        what = "this certificate" if error.verify_code == _SELF_SIGNED else "the certificate of the CA that signed it"
        if settings.ca_file is not None:
            return f"add {what} to ca-file, {settings.ca_file}{self._about_variables()}"
        where = f"set ca-file {_under(settings)}, or SSL_CERT_FILE,"
        return f"{where} to a PEM file with {what}{self._about_variables()}"

    def _about_variables(self) -> str:
        """The variables that would be expected to help and do not, or that explain why trust is missing."""
        unused = [name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if self._variables.get(name)]
        used = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if self._variables.get(name)]
        notes = [f"{name} is set and not used" for name in unused]
        notes += [f"{name} is set and takes the place of the system's certificates" for name in used]
        return f" ({', '.join(notes)})" if notes else ""

    def _of_proxy(self, error: Exception, host: str, proxy: Proxy, reached: Reached) -> str:
        to = _with_port(host)
        if reached is Reached.NOTHING:
            return f"{proxy} cannot be reached: {self._of_host(error, '')}; {_correct(proxy, host)}"
        words = in_words(error)
        status = re.match(r"(\d{3})\b", words)
        if status is None:
            return f"{proxy} did not connect to {to}: {words}"
        if status[1] == "407":
            return password_wanted(proxy)
        advice = (
            f"have it allow {to}, or name the host in NO_PROXY" if status[1] == "403" else "see whether the host is up"
        )
        return f"{proxy} refused to connect to {to} ({words.strip()}); {advice}"


def password_wanted(proxy: Proxy) -> str:
    """That a proxy answered with 407."""
    if proxy.has_password:
        return f"{proxy} refused its user and password (407); correct them in {proxy.variable}"
    scheme = proxy.url.partition(":")[0]
    return f"{proxy} asked for a password (407); set {proxy.variable} to {scheme}://USER:PASSWORD@HOST:PORT"


def certificate_help(settings: Settings) -> str:
    """What to do about a server that wants a client certificate."""
    return f"set client-cert and client-key {_under(settings)}"


def in_words(error: BaseException) -> str:
    """The words of the library or the system that noticed an error."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {_spoken(_name(cause))}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    words = re.sub(r"bytearray\(b(['\"].*['\"])\)", r"\1", str(error)).rstrip(".")
    return words[:_MOST_WORDS] or type(error).__name__


def _of_system(error: Exception) -> str:
    for cause in causes(error):
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
        if isinstance(cause, socket.gaierror):
            return "host not found"
        if isinstance(cause, OSError) and cause.errno is not None:
            return f"no connection ({cause.strerror})"
    return f"no connection ({in_words(error)})"


def _verification(error: ssl.SSLCertVerificationError) -> str:
    """OpenSSL's words for why a certificate is not trusted."""
    return (error.verify_message or str(error)).removeprefix("Hostname mismatch, ").rstrip(".")


def _name(error: ssl.SSLError) -> str:
    """OpenSSL's name of an error, which Python leaves out for some, and then has OpenSSL's words for it alone."""
    words = re.sub(r"^\[.*?\] ?| ?\(_ssl\.c:\d+\)$", "", error.strerror or str(error))
    return error.reason or words.upper().replace(" ", "_")


def _spoken(name: str) -> str:
    return name.replace("_", " ").lower()


def _under(settings: Settings) -> str:
    name = settings.environment
    return f"under {settings.table('environments', name)}" if name is not None else "in an environment of wisebot.toml"


def _correct(proxy: Proxy, host: str) -> str:
    return f"correct {proxy.variable}, or name {_with_port(host).rpartition(':')[0]} in NO_PROXY"


def _with_port(host: str) -> str:
    scheme, _, rest = host.partition("://")
    return rest if re.search(r":\d+\Z", rest) else f"{rest}:{443 if scheme == 'https' else 80}"
