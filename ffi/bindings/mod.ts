// SPDX-License-Identifier: GPL-2.0-or-later
import { audioMixer } from "./audio_mixer.ts";
import { audioTransport } from "./audio_transport.ts";
import { bell } from "./bell.ts";
import { devices } from "./devices.ts";
import { engine } from "./engine.ts";
import { events } from "./events.ts";
import { incomingRequest } from "./incoming_request.ts";
import { incomingReferral } from "./incoming_referral.ts";
import { incomingSubscription } from "./incoming_subscription.ts";
import { invitation } from "./invitation.ts";
import { library } from "./library.ts";
import { log } from "./log.ts";
import { mixerPort } from "./mixer_port.ts";
import { pcmMemory } from "./pcm_memory.ts";
import { pcmPort } from "./pcm_port.ts";
import { recordingWaveFile } from "./recording_wave_file.ts";
import { request } from "./request.ts";
import { referral } from "./referral.ts";
import { rtpTransport } from "./rtp_transport.ts";
import { srtp } from "./srtp.ts";
import { subscription } from "./subscription.ts";
import { toneGenerator } from "./tone_generator.ts";
import { transports } from "./transports.ts";
import { waveFile } from "./wave_file.ts";
import { pjlib } from "./pjlib.ts";

type Table =
  & typeof library
  & typeof bell
  & typeof log
  & typeof engine
  & typeof devices
  & typeof transports
  & typeof events
  & typeof incomingRequest
  & typeof invitation
  & typeof subscription
  & typeof incomingSubscription
  & typeof referral
  & typeof incomingReferral
  & typeof audioMixer
  & typeof request
  & typeof rtpTransport
  & typeof srtp
  & typeof audioTransport
  & typeof waveFile
  & typeof recordingWaveFile
  & typeof mixerPort
  & typeof toneGenerator
  & typeof pcmMemory
  & typeof pcmPort
  & typeof pjlib;

/** Every function of the shared library that TypeScript calls. */
export const table: Table = {
  ...library,
  ...bell,
  ...log,
  ...engine,
  ...devices,
  ...transports,
  ...events,
  ...incomingRequest,
  ...invitation,
  ...subscription,
  ...incomingSubscription,
  ...referral,
  ...incomingReferral,
  ...audioMixer,
  ...request,
  ...rtpTransport,
  ...srtp,
  ...audioTransport,
  ...waveFile,
  ...recordingWaveFile,
  ...mixerPort,
  ...toneGenerator,
  ...pcmMemory,
  ...pcmPort,
  ...pjlib,
};
