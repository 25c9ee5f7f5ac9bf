// SPDX-License-Identifier: GPL-2.0-or-later
/** TURN servers that are reached by TLS, and who they are. */
import { after, before, describe, it } from "node:test";
import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { AudioMixer, Engine, type RTPTransportOptions } from "../mod.ts";
import { type CertificateKind, Certificates, skipWithoutOpenssl } from "./support/certificates.ts";
import { Coturn, skipWithoutCoturn } from "./support/coturn.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { ICEPair, ICESide } from "./support/ice_pair.ts";
import { until } from "./support/until.ts";

const rtpPortRange = [43100, 43199] as const;

describe("ICE with TURN over TLS", { skip: skipWithoutCoturn || skipWithoutOpenssl }, () => {
  let certificates: Certificates;

  before(async () => {
    certificates = new Certificates();
    await startEngine({ rtpPortRange, tlsVerifyServer: true, tlsCaFile: certificates.caFile });
  });

  after(async () => {
    await stopEngine();
    certificates[Symbol.dispose]();
  });

  const turn = (coturn: Coturn): RTPTransportOptions => ({
    useIce: true,
    iceTurn: {
      address: "127.0.0.1",
      port: coturn.tlsPort,
      transport: "tls",
      username: "alice",
      password: "alicepw",
    },
  });

  it("ICE goes through a TURN relay that is reached by TLS and has shown who it is", async () => {
    await using coturn = await Coturn.start(certificates.get("good"));
    using mixer = new AudioMixer(null, null);
    using pair = await ICEPair.open(mixer, { ...turn(coturn), iceRelayOnly: true });
    pair.start();
    assertEquals((await pair.left.negotiated()).name, "RTPTransportICENegotiationDidSucceed");
    await until(() => pair.right.audio!.statistics!.rx.packets > 20, "sound");
    assertEquals(pair.right.transport.localRtpCandidateType, "relay");
    assertGreater(pair.left.audio!.statistics!.rx.packets, 5);
  });

  for (
    const kind of ["wrongName", "untrusted", "expired", "selfSigned"] as const satisfies CertificateKind[]
  ) {
    it(`ICE refuses a TURN server whose certificate is ${kind}, unless nothing is verified`, async () => {
      await using coturn = await Coturn.start(certificates.get(kind));
      using refused = new ICESide(turn(coturn));
      const { name, data } = await refused.init();
      assertEquals([name, refused.transport.state], ["RTPTransportDidFail", "STUN_FAILED"]);
      assertMatch(
        (data as { reason: string }).reason,
        /TURN server 127\.0\.0\.1 at port \d+: .*certificate/i,
      );
      const engine = new Engine();
      engine.setTlsOptions({ verifyServer: false });
      try {
        using taken = new ICESide(turn(coturn));
        assertEquals((await taken.init()).name, "RTPTransportDidInitialize");
      } finally {
        engine.setTlsOptions({ verifyServer: true });
      }
    });
  }
});
