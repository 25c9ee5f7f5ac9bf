// SPDX-License-Identifier: GPL-2.0-or-later
import { FromHeader, Invitation, type RouteHeader, ToHeader } from "../../mod.ts";
import type { CallReport } from "../call_report.ts";
import type { Command } from "../command.ts";
import { done, statusOf } from "../exit_status.ts";
import { account, general, lasting, network } from "../options.ts";
import { callOver, describeRoute } from "../route.ts";
import { describeSession } from "../session.ts";
import {
  credentialsOf,
  localAddress,
  ownURI,
  readURI,
  routesTo,
  startEngine,
  timeoutOf,
} from "../station.ts";
import { openMixer, sound, talk, tellEnd } from "../talk.ts";

export const call: Command = {
  words: "URI",
  count: [1, 1],
  summary: "calls; ends with the file of --play, or when somebody hangs up",
  options: {
    ...sound,
    dtmf: { value: "DIGITS", help: "dial these once it is answered" },
    ...lasting,
    ...account,
    ...network,
    ...general,
  },
  async run(input) {
    const { words: [address], values, output, signal } = input;
    const requestUri = readURI(address!);
    const own = ownURI(requestUri, values);
    const timeout = timeoutOf(values);
    const hangUpAfter = values.number("seconds", 0.1, 1e6);
    const codec = values.text("codec");
    await using engine = await startEngine(input, codec === null ? {} : { codecs: [codec] });
    const routes = await routesTo(requestUri, input);
    using mixer = openMixer(input);
    const credentials = credentialsOf(own, values);

    /** Calls over one route. */
    const attempt = async (routeHeader: RouteHeader): Promise<CallReport> => {
      signal.throwIfAborted();
      const invitation = new Invitation();
      const host = localAddress(engine, routeHeader);
      const made = talk(invitation, {
        ...{ values, output, mixer, address: host, hangUpAfter },
        record: values.text("record"),
        started: null,
        endsWithFile: values.has("play") && !values.has("loop") && !values.has("echo") &&
          hangUpAfter === null,
        digits: values.text("dtmf") ?? "",
      });
      const audio = await made.sound.open(null, 0);
      invitation.sendInvite({
        requestUri,
        fromHeader: new FromHeader(own),
        toHeader: new ToHeader(requestUri),
        routeHeader,
        sdp: describeSession({ address: host, audio, offer: null, index: 0 }),
        timeout,
        ...(credentials && { credentials }),
      });
      const hangUp = () => made.hangUp();
      signal.addEventListener("abort", hangUp, { once: true });
      try {
        return await made.ended;
      } finally {
        signal.removeEventListener("abort", hangUp);
      }
    };
    const next = (route: RouteHeader) => output.remark(`Nobody there; trying ${describeRoute(route)}`);
    const report = await callOver(routes, attempt, next);
    tellEnd(report, output);
    if (report.setUp !== null) return done;
    signal.throwIfAborted();
    return statusOf(report.code);
  },
};
