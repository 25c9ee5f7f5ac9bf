// SPDX-License-Identifier: GPL-2.0-or-later
import { createSocket } from "node:dgram";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import {
  AudioMixer,
  AudioTransport,
  Engine,
  FrozenSDPSession,
  PJSIPError,
  RTPTransport,
  SDPAttribute,
  SDPConnection,
  SDPMediaStream,
  SDPSession,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { openTransport } from "./support/audio_pair.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";

/** Not the default's, where other programs may be. */
const rtpPortRange = [41100, 41299] as const;

describe("RTPTransport", () => {
  before(() => startEngine({ rtpPortRange }));
  after(stopEngine);

  it("RTPTransport opens nothing before setInit()", () => {
    using transport = new RTPTransport();
    const { state, localRtpAddress, localRtpPort, remoteRtpAddressSdp, remoteRtpPortSdp } = transport;
    const { remoteRtpAddressReceived, remoteRtpPortReceived } = transport;
    assertEquals(state, "NULL");
    const known = [localRtpAddress, localRtpPort, remoteRtpAddressSdp, remoteRtpPortSdp];
    assertEquals([...known, remoteRtpAddressReceived, remoteRtpPortReceived], Array(6).fill(null));
  });

  it("RTPTransport refuses an address that is none", () => {
    for (const address of ["localhost", "1.2.3", "::x", ""]) {
      assertThrows(() => new RTPTransport({ localRtpAddress: address }), RangeError, "localRtpAddress");
    }
    assertThrows(() => new RTPTransport({ localRtpAddress: 1 as never }), TypeError, "localRtpAddress");
  });

  it("RTPTransport.setInit() opens an even port of the range and tells so after it has returned", async () => {
    using transport = new RTPTransport();
    const notes = transport.notifications();
    transport.setInit();
    assertEquals([transport.state, transport.localRtpAddress, notes.pending], ["INIT", "127.0.0.1", 0]);
    const port = transport.localRtpPort!;
    const [first, last] = new Engine().rtpPortRange;
    assert(port >= first && port < last && port % 2 === 0, `${port}`);
    assertEquals((await notes.next()).value?.name, "RTPTransportDidInitialize");
    transport.setInit();
    assertEquals([transport.state, transport.localRtpPort], ["INIT", port]);
    await assertTaken(port);
    await assertTaken(port + 1);
  });

  it("RTPTransport.setInit() throws when the address is not this machine's", () => {
    using transport = new RTPTransport({ localRtpAddress: "192.0.2.1" });
    assertThrows(() => transport.setInit(), PJSIPError, "Could not open an RTP transport at 192.0.2.1");
    assertEquals([transport.state, transport.localRtpPort], ["NULL", null]);
  });

  it("RTPTransport listens on IPv6 too", () => {
    using transport = new RTPTransport({ localRtpAddress: "::1" });
    transport.setInit();
    assertEquals(transport.localRtpAddress, "::1");
    using mixer = new AudioMixer(null, null);
    const media = new AudioTransport(mixer, transport).getLocalMedia(true);
    assertEquals([media.connection?.address, media.connection?.addressType], ["::1", "IP6"]);
  });

  it("RTPTransport uses a range up, names it when it is exhausted, and recovers", () => {
    const engine = new Engine();
    const before = engine.rtpPortRange;
    engine.rtpPortRange = [41001, 41009];
    const open: RTPTransport[] = [];
    try {
      const error = assertThrows(
        () => {
          for (let count = 0; count < 10; count++) {
            const transport = new RTPTransport();
            open.push(transport);
            transport.setInit();
          }
        },
        PJSIPError,
        "41001 to 41009",
      );
      assertEquals(error.code, "PJSIP");
      const refused = open.at(-1)!;
      assertEquals([refused.state, refused.localRtpPort], ["NULL", null]);
      const ports = open.slice(0, -1).map((transport) => transport.localRtpPort!);
      assertEquals(new Set(ports).size, ports.length);
      assert(ports.every((port) => [41002, 41004, 41006, 41008].includes(port)), ports.join());
      open[0]!.close();
      refused.setInit();
      assertEquals(refused.localRtpPort, ports[0]);
    } finally {
      for (const transport of open) transport.close();
      engine.rtpPortRange = before;
    }
  });

  it("RTPTransport goes from INIT by LOCAL to ESTABLISHED, and back for another use", () => {
    using transport = openTransport();
    const offer = session(transport.localRtpPort!);
    const answer = FrozenSDPSession.from(session(30000, "192.0.2.7"));
    transport.setLocal(offer, 0);
    assertEquals([transport.state, transport.remoteRtpPortSdp], ["LOCAL", null]);
    transport.setLocal(offer, 0);
    transport.setEstablished(offer, answer, 0);
    const remote =
      (): unknown[] => [transport.state, transport.remoteRtpAddressSdp, transport.remoteRtpPortSdp];
    assertEquals(remote(), ["ESTABLISHED", "192.0.2.7", 30000]);
    transport.setEstablished(offer, answer, 0);
    assertThrows(() => transport.setLocal(offer, 0), SIPCoreInvalidStateError, "ESTABLISHED");
    const port = transport.localRtpPort;
    transport.setInit();
    assertEquals([...remote(), transport.localRtpPort], ["INIT", null, null, port]);
    // The other scenario: the offer is the peer's.
    transport.setEstablished(FrozenSDPSession.from(offer), answer, 0);
    assertEquals(remote(), ["ESTABLISHED", "192.0.2.7", 30000]);
  });

  it("RTPTransport forbids what its state forbids", () => {
    const transport = new RTPTransport();
    const description = session(30000);
    assertThrows(() => transport.setLocal(description, 0), SIPCoreInvalidStateError, "NULL");
    assertThrows(
      () => transport.setEstablished(description, description, 0),
      SIPCoreInvalidStateError,
      "NULL",
    );
    transport.setInit();
    assertThrows(() => transport.setLocal(description, 1), RangeError, "sdpIndex");
    assertThrows(
      () => transport.setLocal(FrozenSDPSession.from(description) as never, 0),
      TypeError,
      "localSdp",
    );
    assertThrows(() => transport.setEstablished(description, "v=0" as never, 0), TypeError, "remoteSdp");
    assertEquals(transport.state, "INIT");
    transport.close();
    transport.close();
    transport[Symbol.dispose]();
    assertEquals([transport.state, transport.localRtpPort, transport.localRtpAddress], [
      "INVALID",
      null,
      null,
    ]);
    for (
      const use of [
        () => transport.setInit(),
        () => transport.setLocal(description, 0),
        () => transport.setEstablished(description, description, 0),
      ]
    ) assertEquals(assertThrows(use, SIPCoreInvalidStateError).state, "INVALID");
  });

  it("RTPTransport.close() frees the ports and ends its stream of notifications", async () => {
    const transport = new RTPTransport();
    const notes = transport.notifications();
    transport.setInit();
    const port = transport.localRtpPort!;
    transport.close();
    assertEquals((await Array.fromAsync(notes)).length, 0);
    await (await bind(port))();
    await (await bind(port + 1))();
  });

  it("RTPTransport leaves what it does not know in the offer, and survives any address", () => {
    using transport = openTransport();
    const offer = session(transport.localRtpPort!);
    offer.media[0]!.attributes.push(new SDPAttribute("x-unknown", "yes"));
    transport.setLocal(offer, 0);
    assertEquals(offer.media[0]!.attributes.getFirst("x-unknown"), "yes");
    for (const address of ["not-an-address.invalid", "256.1.1.1", "x".repeat(300)]) {
      const error = assertThrows(() => transport.setEstablished(offer, session(30000, address), 0));
      assertInstanceOf(error, Error);
      assertMatch(error.name, /^(PJSIPError|SIPCoreError|RangeError|TypeError)$/);
      assertEquals(transport.state, "LOCAL");
    }
  });

  it("RTPTransport is INVALID after the engine has stopped", async () => {
    const transport = openTransport();
    const unopened = new RTPTransport();
    await stopEngine();
    assertEquals([transport.state, transport.localRtpPort], ["INVALID", null]);
    assertEquals(transport.remoteRtpAddressReceived, null);
    for (const use of [() => transport.setInit(), () => unopened.setInit(), () => new RTPTransport()]) {
      assertEquals(assertThrows(use, SIPCoreInvalidStateError).code, "ENGINE_NOT_RUNNING");
    }
    transport.close();
    unopened.close();
    await startEngine({ rtpPortRange });
  });
});

/** A description of one audio stream. */
function session(port: number, address: string = "127.0.0.1"): SDPSession {
  return new SDPSession(address, {
    connection: new SDPConnection(address),
    media: [new SDPMediaStream("audio", port, "RTP/AVP", { formats: ["0"] })],
  });
}

/** Takes a UDP port; gives what lets it go. */
function bind(port: number): Promise<() => Promise<void>> {
  const socket = createSocket("udp4");
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => {
      resolve(() => new Promise((closed) => socket.close(closed)));
    });
  });
}

async function assertTaken(port: number): Promise<void> {
  const release = await bind(port).catch(() => null);
  await release?.();
  assertEquals(release, null, `port ${port} is free`);
}
