// SPDX-License-Identifier: GPL-2.0-or-later
/**
 * SIP for Deno and Bun: calls, media and notifications on PJSIP.
 *
 * @module
 */
export { Engine } from "./core/engine.ts";
export { resolve } from "./core/resolve.ts";
export { type EngineOptions } from "./core/engine_options.ts";
export { type EventPackages } from "./core/event_packages.ts";
export { type TLSChanges, type TLSOptions, type TLSProtocol } from "./core/tls_options.ts";
export { type EngineTransportCertificate, type EngineTransportConnection } from "./core/connection.ts";
export { type Certificate } from "./core/certificate.ts";
export { type EngineNATDetection } from "./core/nat_detections.ts";
export { type NATType } from "./core/nat_type.ts";
export {
  type EngineException,
  type EngineLogLine,
  type EngineMessage,
  type EngineNotifications,
  type EngineSIPTrace,
  type EngineWarning,
  type EngineWarningKind,
} from "./core/engine_notifications.ts";
export {
  type Note,
  NotificationCenter,
  type NotificationHandler,
  type NotificationMap,
  type NotificationName,
  type NotificationObserver,
  type PostedData,
  type SIPNotification,
  type StreamFilter,
  type WithoutTimestamp,
} from "./core/notification.ts";
export { NotificationStream } from "./core/notification_stream.ts";
export {
  PJSIPError,
  PJSIPTLSError,
  PublicationError,
  PublicationETagError,
  SIPCoreError,
  type SIPCoreErrorCode,
  SIPCoreInvalidStateError,
} from "./core/errors.ts";
export { Invitation } from "./core/invitation.ts";
export { type InvitationAttributes } from "./core/invitation_attributes.ts";
export type {
  EndOptions,
  InvitationRequestOptions,
  InvitationSDP,
  InviteOptions,
  ReinviteOptions,
  ResponseOptions,
} from "./core/invitation_options.ts";
export type { SessionTimer } from "./core/session_timer.ts";
export type { TransferOptions, TransferProgressOptions } from "./core/invitation_transfer.ts";
export type {
  InvitationReferral,
  InvitationTransferNotifications,
  InvitationTransferNotify,
  InvitationTransferState,
} from "./core/invitation_transfer_notifications.ts";
export {
  type InvitationNotifications,
  type InvitationOriginator,
  type InvitationRequest,
  type InvitationState,
  type InvitationStateChange,
  type InvitationSubState,
  type SDPUpdate,
} from "./core/invitation_notifications.ts";
export {
  type AnswerOptions,
  IncomingRequest,
  type IncomingRequestAnswer,
  type IncomingRequestNotifications,
  type IncomingRequestReceived,
  type IncomingRequestState,
} from "./core/incoming_request.ts";
export { type DialogTargetOptions } from "./core/dialog_target.ts";
export { type SubscribeOptions, Subscription, type SubscriptionOptions } from "./core/subscription.ts";
export {
  type SubscriptionFailure,
  type SubscriptionNotifications,
} from "./core/subscription_notifications.ts";
export { IncomingReferral } from "./core/incoming_referral.ts";
export {
  type IncomingReferralNotifications,
  type ReceivedRefer,
} from "./core/incoming_referral_notifications.ts";
export {
  Referral,
  type ReferralOptions,
  type RefreshReferralOptions,
  type SendReferOptions,
} from "./core/referral.ts";
export { type ReferralNotifications, type ReferralOutcome } from "./core/referral_notifications.ts";
export { type ReferralStatus } from "./core/sipfrag.ts";
export { IncomingSubscription } from "./core/incoming_subscription.ts";
export { type IncomingSubscriptionNotifications } from "./core/incoming_subscription_notifications.ts";
export {
  type IncomingSubscriptionState,
  type IncomingSubscriptionStateChange,
  type SubscriptionRequest,
  type SubscriptionResponse,
} from "./core/notifier.ts";
export { type Subscriber } from "./core/subscriber.ts";
export {
  type ReceivedNotify,
  type SubscriptionEnd,
  type SubscriptionState,
  type SubscriptionStateChange,
} from "./core/subscriber_messages.ts";
export { Message, type MessageNotifications, type MessageOptions } from "./core/message.ts";
export { Publication, type PublicationOptions } from "./core/publication.ts";
export {
  type PublicationFailure,
  type PublicationNotifications,
  type PublicationSuccess,
} from "./core/publication_notifications.ts";
export { Registration, type RegistrationOptions } from "./core/registration.ts";
export {
  type RegistrationFailure,
  type RegistrationNotifications,
  type RegistrationSuccess,
} from "./core/registration_notifications.ts";
export { Request, type RequestState } from "./core/request.ts";
export { type RequestNotifications, type RequestResponse } from "./core/request_notifications.ts";
export { type RequestOptions, type SendOptions } from "./core/request_options.ts";
export { BaseSIPURI, FrozenSIPURI, SIPURI, type SIPURIInit, type TransportName } from "./core/uri.ts";
export {
  BaseCredentials,
  Credentials,
  type CredentialsInit,
  type CredentialsOptions,
  type DigestAlgorithm,
  FrozenCredentials,
} from "./core/credentials.ts";
export { DialogID, type DialogIDInit } from "./core/dialog_id.ts";
export { type EndpointAddress } from "./core/endpoint_address.ts";
export { type Body } from "./core/body.ts";
export { FrozenDict, FrozenList } from "./core/frozen.ts";
export { HeaderMap, type HeaderOf, type ReceivedHeader, type TypedHeaders } from "./core/header_map.ts";
export { type ParametersInit, type ReadonlyParameters } from "./core/parameters.ts";
export { type AddressHeader, type AddressInit, type AddressOptions } from "./core/headers/address_header.ts";
export { type ParameterHeader, type ParameterOptions } from "./core/headers/parameter_header.ts";
export { type ReferHeader, type ReferInit } from "./core/headers/refer_header.ts";
export {
  BaseSDPSession,
  FrozenSDPSession,
  SDPSession,
  type SDPSessionInit,
  type SDPSessionOptions,
} from "./core/sdp_session.ts";
export {
  BaseSDPMediaStream,
  FrozenSDPMediaStream,
  type MediaDirection,
  SDPMediaStream,
  type SDPMediaStreamInit,
  type SDPMediaStreamOptions,
} from "./core/sdp_media_stream.ts";
export {
  BaseSDPConnection,
  FrozenSDPConnection,
  SDPConnection,
  type SDPConnectionInit,
  type SDPConnectionOptions,
} from "./core/sdp_connection.ts";
export {
  BaseSDPAttribute,
  FrozenSDPAttribute,
  FrozenSDPAttributeList,
  SDPAttribute,
  type SDPAttributeInit,
  SDPAttributeList,
} from "./core/sdp_attribute.ts";
export {
  BaseSDPBandwidthInfo,
  FrozenSDPBandwidthInfo,
  SDPBandwidthInfo,
  type SDPBandwidthInfoInit,
} from "./core/sdp_bandwidth_info.ts";
export { MediaCodec, type MediaCodecInit } from "./core/media_codec.ts";
export { sipStatusMessages } from "./core/sip_status_messages.ts";
export { version } from "./core/version.ts";
export {
  AudioMixer,
  type AudioMixerOptions,
  type MixerSource,
  type SignalLevel,
} from "./media/audio_mixer.ts";
export {
  RTPTransport,
  type RTPTransportNotifications,
  type RTPTransportOptions,
  type RTPTransportState,
} from "./media/rtp_transport.ts";
export { type ICEOptions, type ICETURNServer, type TURNTransport } from "./media/ice_options.ts";
export {
  type ICECandidate,
  type ICECandidateType,
  type ICECheck,
  type ICECheckState,
  type ICEChosenCandidates,
  type ICEResult,
  type ICEState,
} from "./media/ice_negotiation.ts";
export { type SRTPCipher, type SRTPKeying, type SRTPOptions } from "./media/srtp_options.ts";
export { type SRTPNotifications, type SRTPStatistics } from "./media/srtp_session.ts";
export {
  type AudioStartOptions,
  AudioTransport,
  type AudioTransportNotifications,
  type AudioTransportOptions,
  type LocalMediaOptions,
} from "./media/audio_transport.ts";
export { type AudioStatistics, type Measure, type StreamStatistics } from "./media/audio_statistics.ts";
export { WaveFile, type WaveFileNotifications } from "./media/wave_file.ts";
export {
  PCMPort,
  type PCMPortNotifications,
  type PCMPortOptions,
  type PCMStatistics,
} from "./media/pcm_port.ts";
export { RecordingWaveFile } from "./media/recording_wave_file.ts";
export { MixerPort } from "./media/mixer_port.ts";
export { type Tone, ToneGenerator, type ToneGeneratorNotifications } from "./media/tone_generator.ts";
export {
  BaseContactHeader,
  BaseContentTypeHeader,
  BaseEventHeader,
  BaseFromHeader,
  BaseGenericHeader,
  BaseHeader,
  BaseReasonHeader,
  BaseRecordRouteHeader,
  BaseReferredByHeader,
  BaseReferToHeader,
  BaseReplacesHeader,
  BaseRetryAfterHeader,
  BaseRouteHeader,
  BaseSubjectHeader,
  BaseSubscriptionStateHeader,
  BaseToHeader,
  BaseViaHeader,
  BaseWarningHeader,
  ContactHeader,
  type ContactInit,
  ContentTypeHeader,
  type ContentTypeHeaderInit,
  EventHeader,
  type EventHeaderInit,
  FromHeader,
  FrozenContactHeader,
  FrozenContentTypeHeader,
  FrozenEventHeader,
  FrozenFromHeader,
  FrozenHeader,
  FrozenReasonHeader,
  FrozenRecordRouteHeader,
  FrozenReferredByHeader,
  FrozenReferToHeader,
  FrozenReplacesHeader,
  FrozenRetryAfterHeader,
  FrozenRouteHeader,
  FrozenSubjectHeader,
  FrozenSubscriptionStateHeader,
  FrozenToHeader,
  FrozenViaHeader,
  FrozenWarningHeader,
  Header,
  type HeaderInit,
  ReasonHeader,
  type ReasonHeaderInit,
  RecordRouteHeader,
  ReferredByHeader,
  ReferToHeader,
  ReplacesHeader,
  type ReplacesHeaderInit,
  type ReplacesOptions,
  RetryAfterHeader,
  type RetryAfterHeaderInit,
  type RetryAfterOptions,
  RouteHeader,
  type RouteTarget,
  SubjectHeader,
  type SubjectHeaderInit,
  SubscriptionStateHeader,
  type SubscriptionStateHeaderInit,
  ToHeader,
  ViaHeader,
  type ViaHeaderInit,
  type ViaOptions,
  WarningHeader,
  type WarningHeaderInit,
} from "./core/headers.ts";
