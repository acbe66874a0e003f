// Package notice tells who is in front of a screen what they should know of the
// agent without having asked: that a token ends, is refused, was taken out of a
// file, has given way to another one, or that the store is locked while something
// needs it.
//
// What there is to say is read off an [ipc.Status] (Look), the one truth of every
// view; what of that is shown now is decided from that and from what was shown
// before (Plan). Both are pure. Of a matter there is one notice, ever: what was
// shown is kept in the state folder, by credential, matter and token, and a restart
// shows nothing again. Three a minute are shown; what is more is a single line.
//
// It promises that no request waits for it, that it has no wake-up of its own but
// the next instant at which there may be something new to say, and that whoever shows
// notices, or hangs, or is not there, is never more than a notice that is not seen.
// It refuses to say more than cwagent status does: no secret is in a status.
package notice
