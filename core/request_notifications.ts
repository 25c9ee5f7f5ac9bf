// SPDX-License-Identifier: GPL-2.0-or-later
import type { Body } from "./body.ts";
import type { HeaderMap } from "./header_map.ts";
import type { Note } from "./notification.ts";
import type { Request } from "./request.ts";

/** A response to a request, or what stands for one that never came. */
export interface RequestResponse {
  /** Of the response. Without one: 408 when it was not answered in time, 503 when the connection failed, 0 when it could
   * not be sent. */
  code: number;
  /** The reason phrase; without a response what went wrong. */
  reason: string;
  /** Empty when there was no response. */
  headers: HeaderMap;
  /** null when there was none. */
  body: Body | null;
}

/** The notifications of Request. */
export interface RequestNotifications {
  /** A provisional response (1xx) came. */
  SIPRequestGotProvisionalResponse: Note<Request, RequestResponse>;
  /** A 2xx came; `expires`: for how many seconds it holds, 0 when that does not apply. */
  SIPRequestDidSucceed: Note<Request, RequestResponse & { expires: number }>;
  /** Another final response came, or none. */
  SIPRequestDidFail: Note<Request, RequestResponse>;
  /** What the request has achieved ends in `expires` seconds: time to send another one. */
  SIPRequestWillExpire: Note<Request, { expires: number }>;
  /** It is over; the last one. */
  SIPRequestDidEnd: Note<Request>;
}
