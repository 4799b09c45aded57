"""Reaches hosts without a run: whether they answer, and whether a token is accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from ..apis import Outgoing, reachability_check, status_check
from ..errors import NO_REQUEST, InfrastructureError
from ..redaction import Redactor
from ..settings import Settings
from .exchange import AttemptState, Exchanger, MockedError, Received, is_of_the_network
from .response import AnswerReader

PROBE_SECONDS: Final = 20.0
"""Deadline of each request."""


class UnreachableError(Exception):
    """A host could not be reached, or did not answer; the message says why."""


class Probe:
    """Sends requests that start no run, one at a time.

    Args:
        settings: hosts, credentials and limits.
        redactor: cleans what is quoted of answers.
        variables: the environment variables, for proxies and certificates.
    """

    def __init__(self, settings: Settings, redactor: Redactor, variables: Mapping[str, str]) -> None:
        self._settings = settings
        self._exchanger = Exchanger(settings, variables, redactor)
        self._reader = AnswerReader(redactor)

    def status_of(self, host: str) -> int:
        """The status with which a host answers ``HEAD /``.

        Raises:
            ConfigurationError: the proxy or the certificates that the environment names cannot be used.
            UnreachableError: it does not answer.
        """
        return asyncio.run(self._exchange(reachability_check(host))).status_code

    def refusal_of_token(self, credential: str) -> InfrastructureError | int | None:
        """What ``GET /api/v1/status`` says of the token.

        Args:
            credential: what an error calls the token.

        Returns:
            None where it is accepted; the error where it is refused; any other status as it is.

        Raises:
            ConfigurationError: the proxy or the certificates that the environment names cannot be used.
            UnreachableError: the host does not answer.
        """
        return asyncio.run(self._refusal_of_token(credential))

    async def _refusal_of_token(self, credential: str) -> InfrastructureError | int | None:
        outgoing = status_check(self._settings)
        assert outgoing is not None  # the caller has a host and a token
        received = await self._exchange(outgoing)
        if received.status_code in (401, 403):
            return await self._reader.refused_token(received, credential, NO_REQUEST)
        return None if received.status_code == 200 else received.status_code

    async def _exchange(self, outgoing: Outgoing) -> Received:
        state = AttemptState()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await self._exchanger.exchange(outgoing, state)
        except MockedError:
            raise UnreachableError("something in this process answers in the network's place") from None
        except TimeoutError:
            raise UnreachableError(f"no answer within {PROBE_SECONDS:g} s") from None
        except Exception as error:
            if not is_of_the_network(error):
                raise
            raise UnreachableError(self._exchanger.why_unanswered(error, outgoing.host, state)) from None
