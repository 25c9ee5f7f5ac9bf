// SPDX-License-Identifier: GPL-2.0-or-later
/** Streams under the attack of `npm run hostile -- --transport rtp`, for seconds instead of minutes. */
import { describe, it } from "node:test";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { RtpAttack } from "./hostile/rtp_attack.ts";
import { skipWithoutProc } from "./support/process_figures.ts";

describe("AudioTransport under attack", { skip: skipWithoutProc }, () => {
  it("AudioTransport goes on with its sound while RTP, RTCP, STUN and DTLS come from strangers", async () => {
    await using attack = await RtpAttack.start();
    const { likeness, sources, exceptions, received } = await attack.run(8000, 1);
    assertEquals([sources, exceptions], [[true, true], []]);
    // The first takes place while they come; a busy machine sends them slower.
    for (const each of likeness[0]!) assertGreater(each, 0.7, JSON.stringify(likeness));
    assert(received.every((count) => count > 20), `what the attacker sends as a peer is heard: ${received}`);
    await attack.stop();
  });
});
