// SPDX-License-Identifier: GPL-2.0-or-later
/** ICE that ends in the middle of things, and ICE with peers that mean no good. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertInstanceOf, assertLess, assertMatch, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import {
  AudioMixer,
  Engine,
  PJSIPError,
  RTPTransport,
  type RTPTransportOptions,
  SDPAttribute,
  SDPSession,
  SIPCoreInvalidStateError,
} from "../mod.ts";
import { Coturn, skipWithoutCoturn } from "./support/coturn.ts";
import { Dice } from "./support/dice.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { ICEPair, ICESide } from "./support/ice_pair.ts";
import { networkSockets, skipWithoutProc } from "./support/process_figures.ts";
import { printStun, stunAttributes, stunTypes } from "./support/stun.ts";
import { StunServer } from "./support/stun_server.ts";

const rtpPortRange = [42200, 42499] as const;

/** How many ends of each kind; the long run has more. */
const races = Number(process.env["SIPCORE_RACES"] ?? 20);

const host: RTPTransportOptions = { useIce: true };

describe("ICE at its end", () => {
  before(() => startEngine({ rtpPortRange }));
  after(stopEngine);

  it("RTPTransport may be closed while it gathers, by name, by STUN and by TURN", async () => {
    await using silent = await StunServer.open(() => {});
    const servers: RTPTransportOptions[] = [
      { useIce: true, iceStunAddress: "localhost", iceStunPort: silent.port },
      { useIce: true, iceStunAddress: "127.0.0.1", iceStunPort: silent.port },
      { useIce: true, iceTurn: { address: "127.0.0.1", port: silent.port, username: "a", password: "b" } },
      { useIce: true, iceTurn: { address: "127.0.0.1", port: 9, transport: "tcp" } },
      { useIce: true, iceTurn: { address: "127.0.0.1", port: 9, transport: "tls" } },
    ];
    for (const options of servers) {
      for (const wait of [0, 0, 1, 30]) {
        const transport = new RTPTransport(options);
        const notes = transport.notifications();
        transport.setInit();
        assertEquals(transport.state, "WAIT_STUN");
        if (wait > 0) await delay(wait);
        transport.close();
        assertEquals([transport.state, transport.localRtpPort, transport.iceActive], [
          "INVALID",
          null,
          false,
        ]);
        const names = (await Array.fromAsync(notes)).map(({ name }) => name);
        assert(!names.includes("RTPTransportDidInitialize"), names.join());
        assertThrows(() => transport.setInit(), SIPCoreInvalidStateError);
      }
    }
  });

  it("RTPTransport may be closed, and used again, at any moment of its negotiation", async () => {
    using mixer = new AudioMixer(null, null);
    const dice = new Dice(7);
    for (let round = 0; round < races; round++) {
      using pair = await ICEPair.open(mixer, host);
      pair.start();
      await delay(dice.throw(40));
      const { left, right } = pair;
      if (dice.percent(50)) left.audio!.stop();
      if (dice.percent(50)) right.transport.close();
      if (left.transport.state === "INIT") {
        const again = left.describe(mixer);
        assert(again.media[0]!.hasIceCandidates);
      }
      left.transport.close();
      assertEquals(left.transport.state, "INVALID");
    }
  });

  for (const phase of ["gathering", "negotiating", "running"] as const) {
    it(`Engine.stop() ends ICE while it is ${phase}, in time and without anything left`, {
      skip: skipWithoutProc,
    }, async () => {
      await using silent = await StunServer.open(() => {});
      for (let round = 0; round < 3; round++) {
        const before = networkSockets().length;
        let transport: RTPTransport;
        if (phase === "gathering") {
          transport = new RTPTransport({
            useIce: true,
            iceStunAddress: "127.0.0.1",
            iceStunPort: silent.port,
          });
          transport.setInit();
          new RTPTransport({ useIce: true, iceTurn: { address: "127.0.0.1", port: silent.port } }).setInit();
        } else {
          const pair = await ICEPair.open(new AudioMixer(null, null), host);
          pair.start();
          transport = pair.left.transport;
          if (phase === "running") await pair.left.negotiated();
        }
        const start = performance.now();
        await stopEngine();
        assertLess(performance.now() - start, 2000);
        assertEquals([transport.state, transport.localRtpPort, transport.remoteRtpPortIce], [
          "INVALID",
          null,
          null,
        ]);
        assertThrows(() => transport.setInit(), SIPCoreInvalidStateError);
        transport.close();
        await startEngine({ rtpPortRange });
        assertEquals(networkSockets().length, before);
      }
    });
  }

  it("Engine.stop() does not wait for a TURN server that is gone", {
    skip: skipWithoutCoturn || skipWithoutProc,
  }, async () => {
    const before = networkSockets().length;
    const coturn = await Coturn.start();
    const open: ICESide[] = [];
    for (const transport of ["udp", "tcp"] as const) {
      const side = new ICESide({
        useIce: true,
        iceTurn: {
          address: "127.0.0.1",
          port: coturn.port,
          transport,
          username: "alice",
          password: "alicepw",
        },
      });
      assertEquals((await side.init()).name, "RTPTransportDidInitialize");
      open.push(side);
    }
    // One is closed before the server goes, and waits for nothing either.
    open.pop()!.transport.close();
    await coturn[Symbol.asyncDispose]();
    const start = performance.now();
    await stopEngine();
    assertLess(performance.now() - start, 2000);
    await startEngine({ rtpPortRange });
    assertEquals(networkSockets().length, before);
  });

  it("ICE survives a TURN server that goes on after it has refused", async () => {
    const refusal = (id: Uint8Array) =>
      printStun({
        type: stunTypes.allocateError,
        id,
        attributes: [[stunAttributes.errorCode, Uint8Array.of(0, 0, 5, 8)]],
      });
    // All in one, so that it is read in one.
    const server = createServer((socket) =>
      socket.on("data", (data: Uint8Array) => {
        const one = refusal(data.subarray(4, 20));
        socket.write(Uint8Array.from([...one, ...one, 0x40, 0, 0, 4, 1, 2, 3, 4, ...one]));
      }).on("error", () => {})
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const { port } = server.address() as AddressInfo;
      for (let round = 0; round < 10; round++) {
        using side = new ICESide({
          useIce: true,
          iceTurn: { address: "127.0.0.1", port, transport: "tcp", username: "a", password: "b" },
        });
        const { name, data } = await side.init();
        assertEquals(name, "RTPTransportDidFail");
        assertMatch((data as { reason: string }).reason, /TURN server/);
      }
    } finally {
      server.close();
    }
  });

  it("RTPTransport with ICE uses the port range up, names it, and recovers", async () => {
    const engine = new Engine();
    // Below the ports that systems deal out by themselves.
    engine.rtpPortRange = [27400, 27409];
    try {
      for (const round of [1, 2, 3]) {
        const open: ICESide[] = [];
        for (let count = 0; count < 5; count++) {
          const side = new ICESide(host);
          open.push(side);
          assertEquals((await side.init()).name, "RTPTransportDidInitialize");
        }
        const ports = open.map(({ transport }) => transport.localRtpPort!);
        assertEquals(ports.toSorted(), [27400, 27402, 27404, 27406, 27408], `round ${round}`);
        using refused = new RTPTransport(host);
        const error = assertThrows(() => refused.setInit(), PJSIPError, "27400 to 27409");
        assertEquals([error.code, refused.state], ["PJSIP", "NULL"]);
        for (const side of open) side[Symbol.dispose]();
        refused.setInit();
        assertEquals(refused.state, "INIT");
      }
    } finally {
      engine.rtpPortRange = rtpPortRange;
    }
  });

  it("ICE survives descriptions that no honest peer sends, and asks no name server", async () => {
    using mixer = new AudioMixer(null, null);
    const good = "1 1 UDP 2130706431 127.0.0.1 4000 typ host";
    const long = "x".repeat(400);
    const candidates: string[][] = [
      [],
      [""],
      ["garbage"],
      ["1 1 UDP 1 127.0.0.1"],
      [`${long} 1 UDP 2130706431 127.0.0.1 4000 typ host`],
      ["1 0 UDP 1 127.0.0.1 4000 typ host", "1 99999999999 UDP 1 127.0.0.1 4000 typ host"],
      ["1 1 TCP 2130706431 127.0.0.1 9 typ host tcptype active"],
      ["1 1 UDP -1 127.0.0.1 4000 typ host", "1 1 UDP 99999999999999 127.0.0.1 4000 typ host"],
      ["1 1 UDP 1 0a1b2c3d-4e5f-6789-abcd-ef0123456789.local 4000 typ host"],
      ["1 1 UDP 1 nowhere.invalid 4000 typ host"],
      ["1 1 UDP 1 127.0.0.1 0 typ host", "1 1 UDP 1 127.0.0.1 70000 typ host"],
      [
        "1 1 UDP 1 127.0.0.1 4000 typ alien",
        "1 1 UDP 1 127.0.0.1 4000 typ",
        "1 1 UDP 1 127.0.0.1 4000 xyz host",
      ],
      ["1 1 UDP 1 ::1 4000 typ host", "1 2 UDP 1 ::1 4001 typ host"],
      [good],
      Array.from(
        { length: 170 },
        (_, index) => `${index} ${index % 2 + 1} UDP ${index + 1} 127.0.0.1 ${5000 + index} typ host`,
      ),
      Array<string>(170).fill(good),
    ];
    const credentials: [string, string][] = [
      ["abcd", "0123456789012345678901"],
      ["", ""],
      ["a", "b"],
      ["a:b:c:d", "0123456789012345678901"],
      [long, long],
      ["x".repeat(256), "y".repeat(256)],
    ];
    for (const lines of candidates) {
      for (const [ufrag, password] of lines.length > 100 ? credentials.slice(0, 1) : credentials) {
        for (const isOffer of [true, false]) {
          using side = new ICESide(host);
          await side.init();
          const own = side.describe(mixer);
          const remote = SDPSession.from(own);
          const media = remote.media[0]!;
          media.port = 4000;
          media.attributes.splice(
            0,
            media.attributes.length,
            ...media.attributes.filter(({ name }) => !/^(ice|candidate|rtcp$)/.test(name)),
          );
          media.attributes.push(new SDPAttribute("ice-ufrag", ufrag), new SDPAttribute("ice-pwd", password));
          for (const line of lines) media.attributes.push(new SDPAttribute("candidate", line));
          const start = performance.now();
          try {
            if (isOffer) {
              side.transport.setEstablished(own, remote, 0);
            } else {
              using answering = new ICESide(host);
              await answering.init();
              const answer = answering.describe(mixer, remote);
              answering.transport.setEstablished(answer, remote, 0);
            }
          } catch (error) {
            assertInstanceOf(error, Error);
            assertMatch(error.name, /^(PJSIPError|SIPCoreError|RangeError|TypeError)$/);
          }
          assertLess(performance.now() - start, 1000, JSON.stringify([lines[0], ufrag.length]));
        }
      }
    }
    // More than pjmedia's lists hold is refused as a whole.
    using side = new ICESide(host);
    await side.init();
    const own = side.describe(mixer);
    const remote = SDPSession.from(own);
    for (let count = 0; count < 1000; count++) {
      remote.media[0]!.attributes.push(
        new SDPAttribute("candidate", good.replace("4000", String(5000 + count))),
      );
    }
    assertThrows(() => side.transport.setEstablished(own, remote, 0), PJSIPError);
    // And an engine that has seen all that works on.
    using pair = await ICEPair.open(mixer, host);
    pair.start();
    assertEquals((await pair.left.negotiated()).name, "RTPTransportICENegotiationDidSucceed");
  });

  it("ICE finds its way among 60 candidates of which two are good", async () => {
    using mixer = new AudioMixer(null, null);
    using pair = await ICEPair.open(mixer, host);
    // Ports that nobody listens at: 1 to 29.
    const crowd = (sdp: SDPSession): SDPSession => {
      const crowded = SDPSession.from(sdp);
      for (let port = 1; port < 30; port++) {
        for (const component of [1, 2]) {
          const line = `${port} ${component} UDP ${2000000000 + port} 127.0.0.1 ${port} typ host`;
          crowded.media[0]!.attributes.push(new SDPAttribute("candidate", line));
        }
      }
      return crowded;
    };
    pair.start(crowd);
    const [left, right] = await Promise.all([pair.left.negotiated(), pair.right.negotiated()]);
    assertEquals([left.name, right.name], Array(2).fill("RTPTransportICENegotiationDidSucceed"));
    assertEquals(pair.left.transport.remoteRtpPortIce, pair.right.transport.localRtpPort);
  });
});
