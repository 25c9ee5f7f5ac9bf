// SPDX-License-Identifier: GPL-2.0-or-later
/** All headers that have classes of their own. */
export {
  BaseContactHeader,
  ContactHeader,
  type ContactInit,
  FrozenContactHeader,
} from "./headers/contact_header.ts";
export {
  BaseContentTypeHeader,
  ContentTypeHeader,
  type ContentTypeHeaderInit,
  FrozenContentTypeHeader,
} from "./headers/content_type_header.ts";
export {
  BaseEventHeader,
  EventHeader,
  type EventHeaderInit,
  FrozenEventHeader,
} from "./headers/event_header.ts";
export { BaseFromHeader, FromHeader, FrozenFromHeader } from "./headers/from_header.ts";
export {
  BaseReasonHeader,
  FrozenReasonHeader,
  ReasonHeader,
  type ReasonHeaderInit,
} from "./headers/reason_header.ts";
export {
  BaseRecordRouteHeader,
  FrozenRecordRouteHeader,
  RecordRouteHeader,
} from "./headers/record_route_header.ts";
export { BaseReferToHeader, FrozenReferToHeader, ReferToHeader } from "./headers/refer_to_header.ts";
export {
  BaseReferredByHeader,
  FrozenReferredByHeader,
  ReferredByHeader,
} from "./headers/referred_by_header.ts";
export {
  BaseReplacesHeader,
  FrozenReplacesHeader,
  ReplacesHeader,
  type ReplacesHeaderInit,
  type ReplacesOptions,
} from "./headers/replaces_header.ts";
export {
  BaseRetryAfterHeader,
  FrozenRetryAfterHeader,
  RetryAfterHeader,
  type RetryAfterHeaderInit,
  type RetryAfterOptions,
} from "./headers/retry_after_header.ts";
export { BaseRouteHeader, FrozenRouteHeader, RouteHeader, type RouteTarget } from "./headers/route_header.ts";
export {
  BaseSubjectHeader,
  FrozenSubjectHeader,
  SubjectHeader,
  type SubjectHeaderInit,
} from "./headers/subject_header.ts";
export {
  BaseSubscriptionStateHeader,
  FrozenSubscriptionStateHeader,
  SubscriptionStateHeader,
  type SubscriptionStateHeaderInit,
} from "./headers/subscription_state_header.ts";
export { BaseToHeader, FrozenToHeader, ToHeader } from "./headers/to_header.ts";
export {
  BaseViaHeader,
  FrozenViaHeader,
  ViaHeader,
  type ViaHeaderInit,
  type ViaOptions,
} from "./headers/via_header.ts";
export {
  BaseWarningHeader,
  FrozenWarningHeader,
  WarningHeader,
  type WarningHeaderInit,
} from "./headers/warning_header.ts";
export { BaseGenericHeader, BaseHeader, FrozenHeader, Header, type HeaderInit } from "./headers/header.ts";
export type { AddressHeader, AddressInit, AddressOptions } from "./headers/address_header.ts";
export type { ParameterHeader, ParameterOptions } from "./headers/parameter_header.ts";
export type { ReferHeader, ReferInit } from "./headers/refer_header.ts";
