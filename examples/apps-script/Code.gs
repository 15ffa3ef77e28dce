/**
 * A conferencing add-on whose meetings syncer keeps in step: it makes a meeting when a user asks for one, tells syncer
 * of the calendar and of the meeting, and from then on of each change in the calendar. What changed it never looks at.
 *
 * Script properties: MEETINGS_URL and MEETINGS_TOKEN of your conferencing system, SYNC_URL and SYNC_KEY of syncer.
 */

/** Calendar asks for a conference. The event need not be saved yet: all that is sure is its id. */
function createConference(request) {
  const calendarId = request.eventData.calendarId;
  const eventId = request.eventData.eventId;
  const meeting = makeMeeting_(eventId);
  // Whatever goes wrong here, the user gets the meeting: syncer finds it once its event is saved and read.
  try {
    registerCalendar_(calendarId);
    registerConference_(calendarId, eventId, meeting.id);
    watchCalendar_(calendarId);
  } catch (error) {
    console.error(`syncer was not told of a conference: ${error.message}`);
  }
  return conferenceOf_(meeting);
}

/** Something changed in a calendar. The trigger does not say what, and syncer looks for itself. */
function onCalendarChanged(change) {
  tellSyncer_(`v1/calendars/${encodeURIComponent(change.calendarId)}/changed`, null);
}

/** Makes a meeting; the same one again if Calendar asks again for the same event. */
function makeMeeting_(eventId) {
  const properties = PropertiesService.getScriptProperties();
  // Title and times come from the event: syncer brings them once it is saved. Until then they are always the same, so
  // that a second call is the first one again.
  const meeting = {
    external_key: eventId,
    title: 'New meeting',
    start: '2099-12-31T00:00:00Z',
    end: '2099-12-31T01:00:00Z',
  };
  const answer = UrlFetchApp.fetch(`${properties.getProperty('MEETINGS_URL')}v1/meetings`, {
    method: 'post',
    contentType: 'application/json',
    headers: {
      Authorization: `Bearer ${properties.getProperty('MEETINGS_TOKEN')}`,
      'Idempotency-Key': eventId,
    },
    payload: JSON.stringify(meeting),
  });
  return JSON.parse(answer.getContentText());
}

/** What Calendar shows of a meeting. */
function conferenceOf_(meeting) {
  const video = ConferenceDataService.newEntryPoint()
    .setEntryPointType(ConferenceDataService.EntryPointType.VIDEO)
    .setUri(meeting.join_url);
  if (meeting.passcode) {
    video.setPasscode(meeting.passcode);
  }
  return ConferenceDataService.newConferenceDataBuilder()
    .setConferenceId(meeting.id)
    .addEntryPoint(video)
    .build();
}

/** Has syncer serve the calendar. It is read in the name of the user, by the service account that syncer has. */
function registerCalendar_(calendarId) {
  tellSyncer_('v1/calendars', {calendar: calendarId, subject: Session.getEffectiveUser().getEmail()});
}

/** Tells syncer of a meeting before its event is saved, so that none is left behind if it never is. */
function registerConference_(calendarId, eventId, meetingId) {
  tellSyncer_('v1/conferences', {calendar: calendarId, event_id: eventId, conference: {id: meetingId}});
}

/** Has changes of the calendar told; once for each calendar. */
function watchCalendar_(calendarId) {
  const isWatched = ScriptApp.getProjectTriggers().some(
    (trigger) => trigger.getHandlerFunction() === 'onCalendarChanged' && trigger.getTriggerSourceId() === calendarId,
  );
  if (!isWatched) {
    ScriptApp.newTrigger('onCalendarChanged').forUserCalendar(calendarId).onEventUpdated().create();
  }
}

/** One call to syncer, again after 503: every call may be sent again. */
function tellSyncer_(path, content) {
  const properties = PropertiesService.getScriptProperties();
  const options = {
    method: 'post',
    headers: {Authorization: `Bearer ${properties.getProperty('SYNC_KEY')}`},
    muteHttpExceptions: true,
  };
  if (content !== null) {
    options.contentType = 'application/json';
    options.payload = JSON.stringify(content);
  }
  for (let attempt = 1; ; attempt += 1) {
    const answer = UrlFetchApp.fetch(`${properties.getProperty('SYNC_URL')}${path}`, options);
    const status = answer.getResponseCode();
    if (status < 300) {
      return;
    }
    if (status !== 503 || attempt === 3) {
      const problem = JSON.parse(answer.getContentText());
      throw new Error(`${problem.detail} (${status}${problem.pointer ? `, ${problem.pointer}` : ''})`);
    }
    Utilities.sleep(1000 * attempt);
  }
}
