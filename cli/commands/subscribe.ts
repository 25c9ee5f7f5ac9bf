// SPDX-License-Identifier: GPL-2.0-or-later
import { type Body, FromHeader, Subscription, ToHeader } from "../../mod.ts";
import type { Command } from "../command.ts";
import { done, statusOf } from "../exit_status.ts";
import { account, general, lasting, network } from "../options.ts";
import { credentialsOf, ownURI, readURI, routesTo, startEngine, timeoutOf, untilTold } from "../station.ts";

/** Bytes as text, as far as they are some. */
function textOf(body: Body | null): string | null {
  return body === null || typeof body === "string" ? body : new TextDecoder().decode(body);
}

export const subscribe: Command = {
  words: "URI",
  count: [1, 1],
  summary: "watches somebody and prints what is told of him",
  options: {
    event: { value: "NAME", help: "the event package (default: presence)" },
    once: { help: "end after the first notification" },
    ...lasting,
    ...account,
    ...network,
    ...general,
  },
  async run(input) {
    const { words: [address], values, output, signal } = input;
    const uri = readURI(address!);
    const own = ownURI(uri, values);
    const timeout = timeoutOf(values);
    await using _engine = await startEngine(input);
    const [routeHeader] = await routesTo(uri, input);
    const credentials = credentialsOf(own, values);
    const subscription = new Subscription({
      requestUri: uri,
      fromHeader: new FromHeader(own),
      toHeader: new ToHeader(uri),
      routeHeader: routeHeader!,
      event: values.text("event") ?? "presence",
      ...(credentials && { credentials }),
    });
    const notes = subscription.notifications();
    subscription.subscribe({ timeout });
    const end = () => subscription.end({ timeout: 2 });
    const told = untilTold(input);
    told.addEventListener("abort", end, { once: true });
    let status: number | null = null;
    for await (const { name, data } of notes) {
      if (name === "SIPSubscriptionChangedState") {
        output.event("state", { state: data.state }, null);
      } else if (name === "SIPSubscriptionGotNotify") {
        const contentType = data.contentType?.body ?? null;
        const body = textOf(data.body);
        output.event("notify", { package: data.event, contentType, body }, body ?? "(nothing is known)");
        status = done;
        if (values.has("once")) end();
      } else if (name === "SIPSubscriptionDidFail") {
        output.event("failed", { code: data.code, reason: data.reason }, `${data.code} ${data.reason}`);
        status ??= statusOf(data.code);
      } else if (name === "SIPSubscriptionDidEnd") {
        output.event("ended", { reason: data.reason }, data.reason === null ? null : `Ended: ${data.reason}`);
      }
    }
    if (status === null) signal.throwIfAborted();
    return status ?? done;
  },
};
