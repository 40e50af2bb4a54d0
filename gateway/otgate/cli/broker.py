"""Arguments that say how to reach a broker, for the verbs that subscribe."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from otgate.config.credential import content, refuse_shared
from otgate.errors import Refused
from otgate.publish.settings import Tls, Transport, read_broker
from otgate.publish.subscribe import Source

PASSWORD_VARIABLE = "OTGATE_CREDENTIAL_MQTT_PASSWORD"  # noqa: S105  a name, not a secret


def broker_arguments(parser: ArgumentParser) -> None:
    """Add the broker's URL and what goes with it."""
    parser.add_argument("broker", metavar="BROKER-URL", help="mqtt[s]://[user@]host[:port]")
    parser.add_argument("--root", default="otgate", help="first level of the topics")
    parser.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help=f"file with the password; else the environment's {PASSWORD_VARIABLE}",
    )
    parser.add_argument("--ca", type=Path, metavar="FILE", help="CA of an mqtts broker (PEM)")
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="our own, for mutual TLS")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its private key")


def source(options: Namespace) -> Source:
    """Read the arguments.

    Raises:
        Refused: they do not make sense.
    """
    broker, username = read_broker(options.broker)
    tls = None
    if broker.transport is Transport.TLS:
        if options.ca is None:
            raise Refused("an mqtts broker needs --ca FILE")
        if options.key is not None:
            refuse_shared(options.key)
        tls = Tls(options.ca, options.certificate, options.key)
    elif options.ca or options.certificate or options.key:
        raise Refused("--ca, --certificate and --key need an mqtts:// broker")
    return Source(broker, username, _password(options.password_file), tls, options.root)


def _password(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(PASSWORD_VARIABLE)
    refuse_shared(file)
    return content(file, "password file")
