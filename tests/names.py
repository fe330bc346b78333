"""A real name server for tests: answers over UDP what it is told to."""

from __future__ import annotations

import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset


class Names:
    """`records` maps (name, type) to answers; a name that is not in it does not exist. Silent when told to be;
    about what is `broken` it knows no answer (SERVFAIL)."""

    def __init__(self, records: dict[tuple[str, str], list[str]]) -> None:
        self.records, self.silent = records, False
        self.broken: set[tuple[str, str]] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def resolver(self) -> dns.resolver.Resolver:
        """One that asks here and nowhere else."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self._socket.getsockname()[1]
        return resolver

    def __enter__(self) -> Names:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._done.is_set():
            try:
                asked, whom = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            if not self.silent:
                self._socket.sendto(self._answer(dns.message.from_wire(asked)).to_wire(), whom)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        answer, asked = dns.message.make_response(query), query.question[0]
        name, kind = asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)
        answer.flags |= dns.flags.RA
        if (name, kind) in self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif texts := self.records.get((name, kind)):
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *texts))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
