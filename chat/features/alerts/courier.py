"""Courier: brings one alert to one browser, and keeps what came of it."""

from typing import Any

from chat import accounts, deliveries, languages
from chat.config import Settings
from chat.db import Store, Tx
from chat.deliveries import Delivery
from chat.features.alerts import calls, devices, identity, notes, plans, unseen, webpush
from chat.features.alerts.devices import Device
from chat.features.alerts.plans import Plan
from chat.languages import gettext
from chat.outbox import Later, Nothing, Permanent

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0  # seconds between two tries, where the push service names none


class Courier:
    """Sends what `calls` wants told, and tests."""

    def __init__(self, store: Store, settings: Settings, secret: bytes) -> None:
        self._store, self._settings, self._secret = store, settings, secret

    def send(self, delivery: Delivery) -> None:
        """Tell the browser what is unseen now. Raises Nothing, Later or Permanent, as the outbox wants it."""
        with self._store.read() as rx:
            device = devices.find(rx, delivery.about["device"])
            plan = plans.of(rx, delivery.agent_id or 0)
            if device is None or plan is None or device.agent_id != plan.agent_id:
                raise Nothing("That device was removed.")
            note, late = self._note(rx, plan, device, delivery)
        if note is None:
            self._store.write(lambda tx: calls.push(tx, plan, device.id, None, late))
            raise Nothing("It goes out with others, in one.")
        self._store.write(lambda tx: deliveries.note(tx, delivery.id, event=note["event"]))
        self._bring(delivery, device, note, plan)

    def _note(self, rx: Tx, plan: Plan, device: Device, delivery: Delivery) -> tuple[dict[str, Any] | None, float]:
        """What to say; or None, and in how many seconds to say it all at once. Raises Nothing."""
        conversation_id, new = delivery.conversation_id, unseen.everywhere(rx)
        told = unseen.of(rx, conversation_id or next(iter(new))) if conversation_id or new else None
        if told is None:
            raise Nothing("It was seen meanwhile.")
        newest = told.event_id if conversation_id else max(new.values())
        before = deliveries.of_key(rx, plan.agent_id, calls.PUSH, delivery.key)
        if any(each.about.get("event", 0) >= newest for each in before if each.state == "sent"):
            raise Nothing("It was told already.")
        quiet = plan.held(0)
        if quiet or (conversation_id and len(new) > calls.MANY):
            return None, quiet
        signed_in = accounts.of_session_hash(rx, device.session_hash) is not None
        with languages.speaking(accounts.language_of(rx, plan.agent_id)):
            if conversation_id or len(new) == 1:
                note = notes.of_conversation(plan, told, self._secret, signed_in=signed_in)
            else:
                note = notes.of_many(plan, len(new))
        return note | {"event": newest, "unseen": len(new)}, 0.0

    def _bring(self, delivery: Delivery, device: Device, note: dict[str, Any], plan: Plan) -> None:
        try:
            self.push(device, note, plan.email)
        except webpush.Expired:
            self._store.write(lambda tx: devices.remove(tx, device.agent_id, device.id))
            raise Nothing("That browser does not want to be called any more, so it was removed.") from None
        except webpush.Refused as refused:
            why = str(refused)
            self._store.write(lambda tx: devices.missed(tx, device.id, why))
            raise Permanent(why) from None
        except webpush.Busy as busy:
            why, pause = str(busy), min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (delivery.attempts - 1))
            self._store.write(lambda tx: devices.missed(tx, device.id, why))
            raise Later(why, busy.seconds or pause) from None

    def sent(self, tx: Tx, delivery: Delivery) -> None:
        """The push service has it."""
        devices.reached(tx, delivery.about["device"])

    def push(self, device: Device, note: dict[str, Any], email: str) -> None:
        """Hand one note to the device's push service. Raises what `webpush.push` raises."""
        url = self._settings.chat_url
        contact = url if url.startswith("https://") else f"mailto:{email}"
        keys = webpush.Keys(identity.key(self._store), contact)
        topic = identity.topic(self._secret, note["tag"])
        webpush.push(device, notes.packed(note), topic, keys, self._settings.private_hosts)

    def test(self, device: Device, email: str) -> tuple[bool, str]:
        """Send a test now; returns whether it went well, and what to tell the person who pressed the button."""
        name = device.name or gettext("that device")
        try:
            self.push(device, notes.test(device.name), email)
        except webpush.Expired:
            self._store.write(lambda tx: devices.remove(tx, device.agent_id, device.id))
            gone = gettext(
                "%(name)s does not want to be called any more, so it was removed. Turn alerts on there again."
            )
            return False, gone % {"name": name}
        except (webpush.Refused, webpush.Busy) as error:
            why = str(error)
            self._store.write(lambda tx: devices.missed(tx, device.id, why))
            return False, gettext("The test did not reach %(name)s. %(why)s") % {"name": name, "why": why}
        self._store.write(lambda tx: devices.reached(tx, device.id))
        return True, gettext("The push service of %(name)s has taken the test. It appears there within seconds.") % {
            "name": name
        }
