/* connect.h - connecting to a bus with patience, and what is said when that fails. */
#ifndef COMMON_CLI_CONNECT_H
#define COMMON_CLI_CONNECT_H

#include "millrace.h"

/* program_connect connects to a bus, waiting up to wait_ns for a broker (saying so after half a
 * second).
 * Returns 0, else an exit status after having printed what to do (EXIT_NO_BROKER names the command
 * that starts one). */
int program_connect(const char *bus, const char *client_name, int64_t wait_ns, struct mr_bus **out);

/* What mr_bus_connect (bus: as it was named), mr_topic_open and mr_topic_create have answered: of
 * another user's segment, whose it is, with which rights, and what its owner can do; of a broker
 * that does not answer, its pid. */
void program_bus_fail(int error, const char *bus);
void program_topic_fail(int error, const struct mr_bus *bus, const char *topic);
void program_create_fail(int error, const struct mr_bus *bus, const char *topic);
/* program_socket_fail: the bus's socket is another process's: which, and what can be done. */
void program_socket_fail(const char *bus, const char *what);

#endif
