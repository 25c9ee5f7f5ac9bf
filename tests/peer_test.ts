// SPDX-License-Identifier: GPL-2.0-or-later
import { describe, it } from "node:test";
import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { Peer } from "./support/peer.ts";
import { cseqOf, header, parseMessage, printMessage, tagOf, uriOf } from "./support/sip_text.ts";

const sdp =
  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";

describe("parseMessage()", () => {
  it("parseMessage() reads a request with folded, repeated and compact headers", () => {
    const text =
      "INVITE sip:a@b SIP/2.0\r\nv: one\r\nVia: two\r\nSubject: long\r\n  text\r\ni:x\r\n\r\nbody\r\n";
    const message = parseMessage(text, "127.0.0.1", 5060);
    assertEquals([message.method, message.uri, message.code, message.body], [
      "INVITE",
      "sip:a@b",
      null,
      "body\r\n",
    ]);
    assertEquals(message.headers.get("via"), ["one", "two"]);
    assertEquals(header(message, "subject"), "long text");
    assertEquals(header(message, "Call-ID"), "x");
    assertThrows(() => header(message, "To"), Error, "No To");
  });

  it("parseMessage() reads a response, refuses what is neither", () => {
    const message = parseMessage("SIP/2.0 200 Fine by me\r\nCSeq: 7 BYE\r\n\r\n", "127.0.0.1", 1);
    assertEquals([message.method, message.code, message.reason], [null, 200, "Fine by me"]);
    assertEquals(cseqOf(message), { number: 7, method: "BYE" });
    for (
      const text of [
        "",
        "\r\n\r\n",
        "INVITE sip:a@b\r\n\r\n",
        "SIP/2.0 99 x\r\n\r\n",
        "SIP/2.0 200 no end\r\n",
      ]
    ) {
      assertThrows(() => parseMessage(text, "127.0.0.1", 1), Error, "No SIP message");
    }
  });

  it("tagOf(), uriOf() look beside and between the angle brackets", () => {
    assertEquals(tagOf('"x;tag=no" <sip:a@b;tag=no>;x=1;tag=yes'), "yes");
    assertEquals(tagOf("<sip:a@b;tag=no>"), null);
    assertEquals(uriOf('"A" <sip:a@b;lr>;x'), "sip:a@b;lr");
    assertEquals(uriOf("sip:a@b;x"), "sip:a@b");
  });

  it("printMessage() counts bytes", () => {
    assertMatch(printMessage("BYE sip:a SIP/2.0", [["To", "x"]], "ä€"), /\r\nContent-Length: 5\r\n\r\nä€$/);
  });
});

describe("Peer", () => {
  it("Peer.request() and respond() carry a whole call in one dialog", async () => {
    await using alice = await Peer.open();
    await using bob = await Peer.open();
    const invite = alice.request("INVITE", { uri: bob.uri, body: sdp });
    const got = await bob.next({ method: "INVITE" });
    assertEquals(got.body, sdp);
    assertEquals(header(got, "Content-Type"), "application/sdp");
    assertEquals(got.port, alice.port);

    bob.respond(got, 100);
    bob.respond(got, 180);
    bob.respond(got, 200, { body: sdp, reason: "OK", headers: { "X-One": ["1", "2"] } });
    // Taken out of their order: what does not fit stays for later.
    const ok = await alice.next({ code: 200 });
    assertEquals(ok.headers.get("x-one"), ["1", "2"]);
    assertEquals(tagOf(header(await alice.next({ code: 100 }), "To")), null);
    assertEquals(header(await alice.next({ code: 180 }), "To"), header(ok, "To"));
    assertNotEquals(tagOf(header(ok, "To")), null);

    alice.ack(ok);
    const ack = await bob.next({ method: "ACK" });
    assertEquals(ack.uri, bob.uri);
    assertEquals(header(ack, "To"), header(ok, "To"));
    assertEquals(cseqOf(ack).number, cseqOf(invite).number);
    assertNotEquals(header(ack, "Via"), header(invite, "Via"));

    bob.request("INFO", bob.dialog(got));
    const info = await alice.next({ method: "INFO" });
    assertEquals(info.uri, alice.uri);
    assertEquals([header(info, "From"), header(info, "To")], [header(ok, "To"), header(ok, "From")]);
    alice.respond(info, 200);
    await bob.next({ code: 200, cseqMethod: "INFO" });

    alice.request("BYE", alice.dialog(ok));
    const bye = await bob.next({ method: "BYE" });
    assertEquals(cseqOf(bye), { number: 2, method: "BYE" });
    bob.respond(bye, 200);
    await alice.next({ code: 200, cseqMethod: "BYE" });
    assertEquals(alice.pending, []);
    assertEquals(bob.pending, []);
  });

  it("Peer.cancel() and the ACK of a refusal stay in the INVITE's transaction", async () => {
    await using alice = await Peer.open();
    await using bob = await Peer.open();
    const invite = alice.request("INVITE", { uri: bob.uri });
    const got = await bob.next();
    alice.cancel(invite);
    const cancel = await bob.next({ method: "CANCEL" });
    assertEquals(header(cancel, "Via"), header(invite, "Via"));
    assertEquals(cseqOf(cancel), { number: 1, method: "CANCEL" });
    assertEquals(cancel.headers.has("contact"), false);
    bob.respond(cancel, 200);
    bob.respond(got, 487, { toTag: "mine" });
    alice.ack(await alice.next({ code: 487 }));
    const ack = await bob.next({ method: "ACK" });
    assertEquals(header(ack, "Via"), header(invite, "Via"));
    assertEquals(tagOf(header(ack, "To")), "mine");
  });

  it("Peer.ack() goes to the Contact and back along the recorded route", async () => {
    await using alice = await Peer.open();
    await using bob = await Peer.open();
    alice.request("INVITE", { uri: bob.uri, headers: { "Record-Route": ["<sip:p1;lr>", "<sip:p2;lr>"] } });
    const got = await bob.next();
    bob.respond(got, 200, { headers: { Contact: "<sip:elsewhere@127.0.0.1>" } });
    alice.ack(await alice.next());
    const ack = await bob.next({ method: "ACK" });
    assertEquals(ack.uri, "sip:elsewhere@127.0.0.1");
    assertEquals(ack.headers.get("route"), ["<sip:p2;lr>", "<sip:p1;lr>"]);
    assertEquals(bob.dialog(got).route, ["<sip:p1;lr>", "<sip:p2;lr>"]);
  });

  it("Peer.next() takes a repeated datagram once, unless retransmissions are kept", async () => {
    await using alice = await Peer.open();
    await using bob = await Peer.open();
    await using carol = await Peer.open({ keepRetransmissions: true });
    for (const peer of [bob, carol]) {
      const { text } = alice.request("OPTIONS", { uri: peer.uri });
      alice.send(text, peer.port);
      alice.request("MESSAGE", { uri: peer.uri });
      await peer.next({ method: "MESSAGE" });
    }
    assertEquals(bob.received.map(({ method }) => method), ["OPTIONS", "OPTIONS", "MESSAGE"]);
    assertEquals(bob.pending.length, 1);
    assertEquals(carol.pending.length, 2);
  });

  it("Peer.next() hands one message to one waiter", async () => {
    await using alice = await Peer.open();
    await using bob = await Peer.open();
    const waiting = [bob.next(), bob.next(), bob.next({ method: "MESSAGE" })];
    for (const method of ["INFO", "BYE", "OPTIONS", "MESSAGE"]) alice.request(method, { uri: bob.uri });
    assertEquals((await Promise.all(waiting)).map(({ method }) => method), ["INFO", "BYE", "MESSAGE"]);
    assertEquals(bob.pending.map(({ method }) => method), ["OPTIONS"]);
  });

  it("Peer.next() says what came instead", async () => {
    await using alice = await Peer.open();
    await using bob = await Peer.open();
    await assertRejects(
      () => bob.next({ code: 200, timeoutMs: 1 }),
      Error,
      "No 200 within 1 ms; waiting were: nothing",
    );
    alice.request("OPTIONS", { uri: bob.uri });
    alice.request("INFO", { uri: bob.uri });
    await bob.next({ method: "INFO" });
    const error = await assertRejects(() => bob.next({ method: "INVITE", timeoutMs: 1 }), Error);
    assert(error.message.includes(`OPTIONS ${bob.uri} SIP/2.0`), error.message);
    assertEquals((await bob.next()).method, "OPTIONS");
  });

  it("Peer.next() rejects after something that is no SIP message, not after a keep-alive", async () => {
    await using alice = await Peer.open();
    await using bob = await Peer.open();
    alice.send("\r\n\r\n", bob.port);
    alice.send("hello", bob.port);
    await assertRejects(() => bob.next(), Error, 'No SIP message: "hello"');
    assertEquals(bob.received, []);
  });

  it("Peer.close() ends the waits and may be repeated", async () => {
    const peer = await Peer.open();
    const waiting = assertRejects(() => peer.next(), Error, "closed");
    await peer.close();
    await waiting;
    await peer.close();
    await assertRejects(() => peer.next(), Error, "closed");
  });
});
