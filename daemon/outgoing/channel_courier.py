"""The courier of one channel: a thread that brings the messages of one `[[channel]]` to its chat or webhook."""

from __future__ import annotations

import ssl
from typing import Any

from tocsin.daemon.config import Config
from tocsin.daemon.config_channels import target
from tocsin.daemon.config_file import ConfigError
from tocsin.daemon.outgoing import channel
from tocsin.daemon.outgoing.delivery_loop import DeliveryLoop
from tocsin.daemon.outgoing.smtp import SendError
from tocsin.daemon.outgoing.templating import Templates
from tocsin.daemon.reason import Reason
from tocsin.daemon.settings import Channel
from tocsin.daemon.store.database import Store
from tocsin.daemon.store.models import Mail
from tocsin.handler.failpoints import reach


class ChannelCourier(DeliveryLoop):
    """Sends one channel's messages. `context`: certificates to trust in the place of the system's."""

    noun = "channel_message"

    def __init__(
        self, store: Store, config: Config, settings: Channel, log: Any = None,
        *, context: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        per_hour = settings.per_hour or config.mail.per_hour
        super().__init__(
            store, Templates(config.mail.templates, config.organisation), per_hour, log, settings.name
        )
        self._settings = settings
        self._context = context

    def deliver(self, row: Mail, root: Mail | None, now: float) -> None:
        try:
            # Read each time: a new secret holds from the next message on.
            where = target(self._settings)
        except ConfigError as error:
            raise SendError(Reason(str(error)), phase="settings") from error
        reach("before_channel_handover")
        channel.deliver(where, row, self.templates, now, self._context)
        reach("after_channel_handover")

    def idle(self, now: float) -> None:
        """Each message has a connection of its own."""

    def close(self) -> None:
        """Each message has a connection of its own."""
