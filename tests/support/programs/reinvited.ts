// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Takes one call with sound and every offer in it. Prints "port N", and "codec direction" after each negotiation. On
 * stdin "hear FILE" makes it record ("hearing") until "stop" ("stopped"), "say FILE" say that file ("said"), "offer
 * DIRECTION CODEC" offer; an empty line ends it.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { AudioMixer, Engine, type MediaDirection, NotificationCenter } from "../../../mod.ts";
import { type TalkingCodec, TalkingEnd } from "../talking_end.ts";

const engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1", rtpPortRange: [42600, 42699] });
const mixer = new AudioMixer(null, null);
const incoming = new NotificationCenter().once("SIPInvitationChangedState", {
  where: ({ data }) => data.state === "incoming",
});
console.log(`port ${engine.udpPort}`);
const { sender: invitation } = await incoming;
const offered = invitation.sdp.proposedRemote!;
const end = new TalkingEnd(mixer, offered, ["PCMU", "opus", "G722"]);
end.follow(invitation, () => console.log(`${end.audio.codec} ${end.audio.direction}`));
invitation.sendResponse(200, { sdp: end.answer(offered) });

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...words] = line.split(" ");
  if (command === "") break;
  if (command === "hear") {
    end.hear(words[0]!);
    console.log("hearing");
  }
  if (command === "stop") {
    end.stopHearing();
    console.log("stopped");
  }
  if (command === "say") void end.say(words[0]!).then(() => console.log("said"));
  if (command === "offer") {
    const [direction, codec] = words as [MediaDirection, TalkingCodec];
    end.wanted = direction;
    invitation.sendReinvite({ sdp: end.offer({ direction, codec }) });
  }
}
const { rx, tx, mos } = end.audio.statistics!;
console.log(JSON.stringify({ received: rx.packets, lost: rx.packetsLost, sent: tx.packets, mos }));
end[Symbol.dispose]();
await engine.stop();
process.exit(0);
