// SPDX-License-Identifier: GPL-2.0-or-later
import { after, before, describe, it } from "node:test";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { delay } from "@std/async";
import { estimateMos } from "../media/mos.ts";
import { AudioMixer, AudioTransport, type Measure } from "../mod.ts";
import { openTransport } from "./support/audio_pair.ts";
import { Dice } from "./support/dice.ts";
import { startEngine, stopEngine } from "./support/engine_fixture.ts";
import { RTPPeer } from "./support/rtp_peer.ts";
import { Together } from "./support/together.ts";
import { until } from "./support/until.ts";

const none: Measure = { count: 0, max: 0, min: 0, last: 0, avg: 0 };

describe("AudioTransport.statistics", () => {
  before(() => startEngine({ rtpPortRange: [41700, 41799] }));
  after(stopEngine);

  const together = new Together();

  /** Runs `body` with a stream of PCMU to a scripted peer. */
  async function withPeer(body: (peer: RTPPeer, audio: AudioTransport) => Promise<void>): Promise<void> {
    using mixer = new AudioMixer(null, null, { sampleRate: 8000 });
    using transport = openTransport();
    using audio = new AudioTransport(mixer, transport, { codecs: ["PCMU"] });
    using peer = await RTPPeer.open();
    peer.join(audio);
    await body(peer, audio);
  }

  /** So many packets, of which the peer hears in a first report. */
  async function warmUp(peer: RTPPeer): Promise<void> {
    for (let count = 0; count < 12; count++) {
      await peer.send();
      await delay(20);
    }
  }

  together.it("AudioTransport.statistics counts what was lost to the packet", async () => {
    await withPeer(async (peer, audio) => {
      const dice = new Dice(7);
      let lost = 0;
      let inRow = 0;
      let [longest, shortest] = [0, Infinity];
      for (let count = 0; count < 1500; count++) {
        // Those that come later cannot be missed; pjmedia needs some to believe in a source.
        if (count > 20 && count < 1490 && dice.percent(5)) {
          lost++;
          inRow++;
          peer.sequence++;
          peer.timestamp += 160;
          continue;
        }
        if (inRow > 0) [longest, shortest, inRow] = [Math.max(longest, inRow), Math.min(shortest, inRow), 0];
        await peer.send();
        if (count % 20 === 0) await delay(1);
      }
      await until(() => audio.statistics!.rx.packets === 1500 - lost, "Packets are missing");
      const { rx, mos } = audio.statistics!;
      assertEquals([rx.packetsLost, rx.bytes, rx.packetsDuplicate], [lost, (1500 - lost) * 160, 0]);
      assertEquals([shortest, longest > 1], [1, true], "the dice have no gaps of both kinds");
      assertEquals([rx.randomLoss, rx.burstLoss, rx.lossPeriod.max], [true, true, longest * 20_000]);
      assertEquals(rx.lossPeriod.min, 20_000);
      // 5 % of G.711 cost 16 points of R, which is about 0.4 of a MOS, and the jitter buffer some more.
      assertGreater(mos!, 3.2);
      assertLess(mos!, 4.2);
    });
  });

  together.it("AudioTransport.statistics counts what came twice and too late", async () => {
    await withPeer(async (peer, audio) => {
      for (let count = 0; count < 20; count++) await peer.send();
      const { sequence, timestamp } = peer;
      await peer.send({ sequence, timestamp });
      await peer.send({ sequence: sequence + 2, timestamp: timestamp + 320 });
      await peer.send({ sequence: sequence + 1, timestamp: timestamp + 160 });
      await peer.send({ sequence: sequence + 3, timestamp: timestamp + 480 });
      await until(() => audio.statistics!.rx.packets === 24, "Packets are missing");
      const { packetsDuplicate, packetsReordered, packetsLost } = audio.statistics!.rx;
      assertEquals([packetsDuplicate, packetsReordered, packetsLost], [1, 1, 0]);
    });
  });

  together.it("AudioTransport.statistics measures the jitter in which packets come", async () => {
    await withPeer(async (peer, audio) => {
      // What RFC 3550 makes of the times at which they really went.
      let [jitter, before, sentBefore] = [0, 0, 0];
      for (let count = 0; count < 160; count++) {
        await delay(count % 2 === 0 ? 5 : 35);
        await peer.send();
        const now = performance.now();
        if (count > 25) jitter += (Math.abs(now - before - 20) - jitter) / 16;
        before = now;
        sentBefore++;
      }
      await until(() => audio.statistics!.rx.packets === sentBefore, "Packets are missing");
      const { last, avg, min, max, count } = audio.statistics!.rx.jitter;
      assertLess(Math.abs(last / 1000 - jitter), 3, `${last / 1000} ms instead of ${jitter}`);
      assertGreater(jitter, 8, "the peer has sent too evenly");
      assert(min <= avg && avg <= max && count > 100, `${min} ${avg} ${max} ${count}`);
    });
  });

  together.it("AudioTransport.statistics measures the round trip by the peer's reports, in us", async () => {
    const errors = await Promise.all([120, 500, 1000].map(async (ms) => {
      let error = 0;
      await withPeer(async (peer, audio) => {
        await warmUp(peer);
        const sent = await peer.senderReport();
        await delay(ms);
        // Half of it is what the peer has kept it for.
        const held = performance.now() - sent.at;
        const blocks = [{
          ssrc: sent.ssrc,
          lastReport: sent.lastReport,
          delay: Math.round(held / 2 * 65.536),
        }];
        await peer.sendReport(blocks);
        const { rtt } = await until(
          () => audio.statistics!.rtt.count > 0 && audio.statistics,
          "No round trip",
        );
        error = rtt.last / 1000 - held / 2;
        assertEquals([rtt.count, rtt.min, rtt.max, rtt.avg], [1, rtt.last, rtt.last, rtt.last]);
      });
      return error;
    }));
    // The way through two sockets is in it, which a busy machine may make long.
    for (const error of errors) assert(error > -1 && error < 40, `${errors}`);
    assertLess(Math.min(...errors), 5, `${errors}`);
  });

  together.it(
    "AudioTransport.statistics believes no report on another stream, or of another time",
    async () => {
      await withPeer(async (peer, audio) => {
        await warmUp(peer);
        const { ssrc, lastReport } = await peer.senderReport();
        await peer.sendReport([{ ssrc: ssrc + 1, lost: 99, jitter: 9999, lastReport, delay: 0 }]);
        await peer.sendReport([{ ssrc: ssrc + 1, lost: 99 }, {
          ssrc,
          lost: 5,
          jitter: 160,
          lastReport: lastReport + 7,
        }]);
        await until(() => audio.statistics!.tx.packetsLost > 0, "The report has not come");
        const { tx, rtt } = audio.statistics!;
        assertEquals([tx.packetsLost, tx.jitter.last, tx.jitter.count], [5, 20_000, 1]);
        assertEquals(tx.lossPeriod, { count: 1, max: 100_000, min: 100_000, last: 100_000, avg: 100_000 });
        assertEquals(rtt, none);
        // Packets that came twice make it negative.
        await peer.sendReport([{ ssrc, lost: -3 }]);
        await until(() => audio.statistics!.tx.jitter.count === 2, "The second report has not come");
        assertEquals(audio.statistics!.tx.packetsLost, 0);
      });
    },
  );

  together.it("AudioTransport.statistics tells nothing of what has not come", async () => {
    await withPeer((_peer, audio) => {
      const { rx, rtt, mos } = audio.statistics!;
      assertEquals([rx.packets, rx.jitter, rx.lossPeriod, rtt, mos], [0, none, none, none, null]);
      return Promise.resolve();
    });
  });
});

describe("estimateMos()", () => {
  it("estimateMos() is the E-model's, for known values", () => {
    const mos = (codec: string, delay: number, loss: number, sampleRate = 8000): number =>
      Math.round(100 * estimateMos({ codec, sampleRate, delay, loss })) / 100;
    // R = 93.2; 93.2 - 20; 93.2 - 11; 93.2 - 95 * 5 / 30.1; 93.2 - 0.024 * 400 - 0.11 * 222.7.
    assertEquals([mos("PCMU", 0, 0), mos("GSM", 0, 0), mos("G729", 0, 0)], [4.41, 3.74, 4.1]);
    assertEquals([mos("pcma", 0, 5), mos("PCMA", 400, 0)], [3.92, 3.05]);
    assertEquals([mos("speex", 0, 0), mos("speex", 0, 0, 16000), mos("opus", 0, 0, 48000)], [
      4.1,
      4.41,
      4.41,
    ]);
    assertEquals([mos("PCMU", 5000, 50), mos("GSM", 0, 100)], [1, 1]);
  });
});
