#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>

/* Swift cannot call a C function with variable arguments. */
static inline amqp_rpc_reply_t amqp_login_plain(
    amqp_connection_state_t state, const char *virtual_host, int heartbeat,
    const amqp_table_t *properties, const char *user, const char *password) {
  return amqp_login_with_properties(
      state, virtual_host, AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, heartbeat, properties,
      AMQP_SASL_METHOD_PLAIN, user, password);
}
