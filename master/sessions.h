#pragma once
// Sessions: who is at the other end. A peer says Hello, the versions are negotiated and the epochs
// compared; then a scheduler subscribes and an agent registers, which binds its session to an
// entry. Whoever speaks out of turn is told why, and closed.
//
// Pure.

#include <string_view>

#include "common/ids.h"
#include "common/messages.h"
#include "master/state.h"

namespace tepui::master {

// Answers a Hello; nothing but a Hello may come first.
void on_hello(State& s, SessionId from, Session::Peer peer, const Hello& hello);

// The session that may send this kind of message; rejects the others and answers nullptr.
Session* greeted(State& s, SessionId from, Session::Peer peer);

// Malformed, out of turn or not allowed: an event, an ErrorMessage, the end of the session.
void reject(State& s, SessionId id, Session::Peer peer, std::string_view why);
// Tells the peer `message`, then ends the session. Not an offence.
void dismiss(State& s, SessionId id, std::string_view message);
// Ends the session without a word. What is bound to it becomes disconnected.
void close_session(State& s, SessionId id, std::string_view why);
// The peer is gone already.
void lose_session(State& s, SessionId id, std::string_view why);

// This master must not lead any longer: it stops at once and waits to be deposed.
void resign(State& s, std::string_view why);

}  // namespace tepui::master
