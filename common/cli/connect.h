/* connect.h - connecting to a bus, and messages about why that failed. */
#ifndef COMMON_CLI_CONNECT_H
#define COMMON_CLI_CONNECT_H

#include "millrace.h"

/* program_connect connects to a bus, waiting up to wait_ns for a broker, with a notice after half a
 * second. Returns 0, else an exit status, with a message that says what to do. */
int program_connect(const char *bus, const char *client_name, int64_t wait_ns, struct mr_bus **out);

/* Messages for an error of mr_bus_connect (bus: as the user named it), mr_topic_open and
 * mr_topic_create. For a segment of another user they name the owner, the rights and what the owner
 * can do; for a broker that does not answer, its pid. */
void program_bus_fail(int error, const char *bus);
void program_topic_fail(int error, const struct mr_bus *bus, const char *topic);
void program_create_fail(int error, const struct mr_bus *bus, const char *topic);
/* program_socket_fail: another process holds the socket of the bus: which one, and what to do. */
void program_socket_fail(const char *bus, const char *what);

#endif
