// SPDX-License-Identifier: GPL-2.0-or-later
/** What an Invitation tells, in a form that whole sequences can be compared in. */
import { deadline } from "@std/async";
import type { Invitation, InvitationState, NotificationStream, SIPNotification } from "../../mod.ts";

type InvitationNotification = SIPNotification<"SIPInvitationChangedState" | "SIPInvitationGotSDPUpdate">;

/** A SIPInvitationChangedState with all its data; of the headers the method in CSeq: whose message they are. */
export interface ToldChange {
  readonly change: string;
  readonly originator: "local" | "remote" | null;
  readonly method: string | null;
  readonly requestUri: string | null;
  readonly code: number | null;
  readonly reason: string | null;
  readonly cseq: string | null;
  readonly body: string | null;
  readonly disconnectReason: string | null;
}

/** A SIPInvitationGotSDPUpdate. */
export interface ToldUpdate {
  readonly succeeded: boolean;
  readonly local: string | null;
  readonly remote: string | null;
  readonly error: string | null;
}

export type Told = ToldChange | ToldUpdate;

const changeKeys = [
  "body",
  "code",
  "disconnectReason",
  "headers",
  "method",
  "originator",
  "prevState",
  "prevSubState",
  "reason",
  "requestUri",
  "state",
  "subState",
  "timestamp",
].join();
const updateKeys = ["error", "localSdp", "remoteSdp", "succeeded", "timestamp"].join();

function place(state: InvitationState, subState: string | null): string {
  return subState === null ? `${state}` : `${state}/${subState}`;
}

/** The port and formats of each stream: what a negotiation is about. */
export function streams(sdp: string): string {
  return [...sdp.matchAll(/^m=(.*?)\r?$/gm)].map(([, line]) => line).join(", ");
}

function tell(notification: InvitationNotification): Told {
  const { name, data } = notification;
  const keys = Object.keys(data).sort().join();
  if (keys !== (name === "SIPInvitationChangedState" ? changeKeys : updateKeys)) {
    throw new Error(`${name} has the keys ${keys}`);
  }
  if (!(data.timestamp instanceof Date)) throw new Error(`${name} has no timestamp`);
  if (name === "SIPInvitationGotSDPUpdate") {
    return {
      succeeded: data.succeeded,
      local: data.localSdp && streams(data.localSdp.toString()),
      remote: data.remoteSdp && streams(data.remoteSdp.toString()),
      error: data.error,
    };
  }
  return {
    change: `${place(data.prevState, data.prevSubState)} -> ${place(data.state, data.subState)}`,
    originator: data.originator,
    method: data.method,
    requestUri: data.requestUri && data.requestUri.toString(),
    code: data.code,
    reason: data.reason,
    cseq: data.headers.text("CSeq")?.split(" ")[1] ?? null,
    body: typeof data.body === "string" ? streams(data.body) : null,
    disconnectReason: data.disconnectReason,
  };
}

/** A change as it is expected: what is not named is null. */
export function changed(change: string, rest: Partial<ToldChange> = {}): ToldChange {
  return {
    change,
    originator: null,
    method: null,
    requestUri: null,
    code: null,
    reason: null,
    cseq: null,
    body: null,
    disconnectReason: null,
    ...rest,
  };
}

/** A negotiation that worked, as it is expected. */
export function negotiated(local: string, remote: string): ToldUpdate {
  return { succeeded: true, local, remote, error: null };
}

/** Reads what one Invitation tells, from the making of the story on. */
export class Story {
  readonly invitation: Invitation;
  /** All that was read, in order. */
  readonly told: Told[] = [];
  readonly notifications: InvitationNotification[] = [];
  readonly #stream: NotificationStream<InvitationNotification["name"]>;

  constructor(invitation: Invitation, first?: InvitationNotification) {
    this.invitation = invitation;
    this.#stream = invitation.notifications(["SIPInvitationChangedState", "SIPInvitationGotSDPUpdate"]);
    if (first) this.#add(first);
  }

  #add(notification: InvitationNotification): void {
    this.notifications.push(notification);
    this.told.push(tell(notification));
  }

  async #until(isLast: (notification: InvitationNotification) => boolean): Promise<InvitationNotification> {
    for (;;) {
      const { done, value } = await this.#stream.next();
      if (done) throw new Error(`It has ended after ${JSON.stringify(this.told, null, 1)}`);
      this.#add(value);
      if (isLast(value)) return value;
    }
  }

  async #inTime<T>(promise: Promise<T>, what: string): Promise<T> {
    try {
      return await deadline(promise, 10_000);
    } catch (cause) {
      if (!(cause instanceof DOMException)) throw cause;
      throw new Error(`${what} has not come after ${JSON.stringify(this.told, null, 1)}`, { cause });
    }
  }

  /** Reads on until the change to that state. */
  async until(state: InvitationState): Promise<SIPNotification<"SIPInvitationChangedState">> {
    const last = await this.#inTime(
      this.#until(({ name, data }) => name === "SIPInvitationChangedState" && data.state === state),
      state ?? "null",
    );
    return last as SIPNotification<"SIPInvitationChangedState">;
  }

  /** Reads on until that change, written as `changed()` has it. */
  async untilChange(change: string): Promise<SIPNotification<"SIPInvitationChangedState">> {
    const last = await this.#inTime(
      this.#until((one) => "change" in tell(one) && (tell(one) as ToldChange).change === change),
      change,
    );
    return last as SIPNotification<"SIPInvitationChangedState">;
  }

  /** Reads on until what was negotiated is told. */
  async untilUpdate(): Promise<SIPNotification<"SIPInvitationGotSDPUpdate">> {
    const last = await this.#inTime(
      this.#until(({ name }) => name === "SIPInvitationGotSDPUpdate"),
      "SIPInvitationGotSDPUpdate",
    );
    return last as SIPNotification<"SIPInvitationGotSDPUpdate">;
  }

  /** Reads on until that many were told. */
  async untilCount(count: number): Promise<void> {
    if (this.told.length < count) {
      await this.#inTime(this.#until(() => this.told.length >= count), `Number ${count}`);
    }
  }

  /** Listens no more. */
  close(): void {
    void this.#stream.return();
  }

  /** Reads to the end. All that was told. */
  async end(): Promise<readonly Told[]> {
    const read = async () => {
      for await (const notification of this.#stream) this.#add(notification);
    };
    await this.#inTime(read(), "The end");
    return this.told;
  }

  /** What was told since that call's index. */
  since(index: number): readonly Told[] {
    return this.told.slice(index);
  }

  /** The changes alone, in short. */
  get changes(): string[] {
    return this.told.flatMap((one) => "change" in one ? [one.change] : []);
  }
}
