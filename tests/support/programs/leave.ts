// SPDX-License-Identifier: GPL-2.0-or-later
/** Leaves, in the way that the argument names, while the engine runs and a call with sound goes on. */
import process from "node:process";
import { setTimeout } from "node:timers";
import { AudioMixer, Engine } from "../../../mod.ts";
import { SelfCall } from "../self_call.ts";

const engine = new Engine();
await engine.start({ ipAddress: "127.0.0.1", rtpPortRange: [44000, 44999] });
await SelfCall.start(engine, new AudioMixer(null, null, { sampleRate: 8000 }));
console.log("talking");

switch (process.argv[2]) {
  case "exception":
    setTimeout(() => {
      throw new Error("Nobody catches this");
    });
    break;
  case "rejection":
    Promise.reject(new Error("Nobody handles this"));
    break;
  case "exit":
    process.exit(3);
    break;
  case "runtime's exit":
    (globalThis as unknown as { Deno: { exit(status: number): never } }).Deno.exit(4);
    break;
  case "end":
    process.exitCode = 5;
    // Nothing but the engine keeps the process alive until then.
    setTimeout(async () => {
      await engine.stop();
      console.log("stopped");
    }, 100).unref();
    break;
}
