// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * Stands in for pjsua in pjproject's own system tests: its command line, as far as they use it, its console, and what it
 * says, made with sipcore alone.
 */
import process from "node:process";
import { Engine, type EngineSIPTrace, Header, NotificationCenter } from "../../../mod.ts";
import { Account } from "../pjsua/account.ts";
import { Console } from "../pjsua/console.ts";
import { parseOptions } from "../pjsua/options.ts";
import { Phone } from "../pjsua/phone.ts";
import { watch } from "../pjsua/watcher.ts";

const options = parseOptions(process.argv.slice(2));
const engine = new Engine();
const center = new NotificationCenter();
const console = new Console((command) => {
  if (command === "shutdown") leave();
  else if (command === "dd") console.say("PJSIP_AUTH_ALLOW_MULTIPLE_AUTH_HEADER : 0");
  else if (command === "im sub_pre 1" && options.buddy !== null) {
    watch(options, "presence", options.buddy, (line) => console.say(line));
  } else {
    try {
      if (!phone.command(command)) console.say(`Unknown command: ${command}`);
    } catch (error) {
      console.say(`${command}: ${error}`);
    }
  }
}, () => leave());
center.addObserver(({ data }) => console.say(traceLines(data)), { name: "SIPEngineSIPTrace" });
center.addObserver(({ data }) => console.say(`Assertion failed: ${data.traceback}`), {
  name: "SIPEngineGotException",
});
center.addObserver(({ sender }) => {
  const names = [
    "replaces",
    "100rel",
    "timer",
    ...(options.has("no-supported-norefersub") ? [] : ["norefersub"]),
  ];
  sender.answer(200, { extraHeaders: [new Header("Supported", names.join(", "))] });
}, { name: "SIPIncomingRequestGotRequest" });

await engine.start({
  ipAddress: "127.0.0.1",
  udpPort: options.localPort,
  tcpPort: options.has("no-tcp") ? null : options.localPort,
  traceSip: true,
  incomingRequests: ["OPTIONS", "REGISTER"],
});
const phone = new Phone(options, engine.codecs, (line) => console.say(line));
await console.listen(options.telnetPort);
if (options.registrar !== null) new Account(options, engine, (line) => console.say(line)).register();
if (options.has("mwi")) watch(options, "message-summary", options.id!, (line) => console.say(line));
if (options.callee !== null) phone.call(options.callee);

/** As pjsua shows a message. */
function traceLines({ received, data, transport, ...ends }: EngineSIPTrace): string {
  const [first = ""] = data.split("\r\n", 1);
  const [, cseq = "0", method = ""] = data.match(/^CSeq\s*:\s*(\d+)\s+(\S+)/mi) ?? [];
  const [start = "", code = ""] = first.split(" ");
  const what = start === "SIP/2.0" ? `Response msg ${code}/${method}` : `Request msg ${start}`;
  const [verb, peer] = received
    ? ["RX", `from ${transport} ${ends.sourceIp}:${ends.sourcePort}`]
    : ["TX", `to ${transport} ${ends.destinationIp}:${ends.destinationPort}`];
  return `${verb} ${data.length} bytes ${what}/cseq=${cseq} ${peer}:\n${data}\n--end msg--`;
}

let isLeaving = false;

async function leave(): Promise<void> {
  if (isLeaving) return;
  isLeaving = true;
  phone.close();
  await engine.stop();
  await console.close("PJSUA destroyed...");
  process.exit(0);
}
