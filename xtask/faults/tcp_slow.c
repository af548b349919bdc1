/* Connections that are slow to be made: the listener's queue is full, so they wait until the server
 * takes those before them. */
#include "program.h"

#include <netinet/in.h>

enum { clients = 4 };

static uv_tcp_t client[clients];
static uv_connect_t requests[clients];
static uv_timer_t server_timer;
static int listener;
static int spare;
static int connected;

/* The spare descriptor makes place for each connection, when a limit leaves no other. */
static void accept_waiting(void) {
  for (;;) {
    long fd;
    own_close(spare);
    fd = OWN4(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) own_close((int) fd);
    spare = (int) OWN3(SYS_fcntl, listener, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return;
  }
}

static void on_timer(uv_timer_t* timer) {
  (void) timer;
  accept_waiting();
}

static void on_connect(uv_connect_t* request, int status) {
  ended(request);
  if (fails(status, "uv_connect_cb")) return;
  if (++connected == clients) finish();
}

static int listen_alone(struct sockaddr_in* address) {
  socklen_t size = sizeof(*address);
  long fd = OWN3(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  uv_ip4_addr("127.0.0.1", 0, address);
  if (fd < 0) return (int) fd;
  own_close_at_end((int) fd);
  if (OWN3(SYS_bind, fd, address, size) != 0 || OWN3(SYS_listen, fd, 1, 0) != 0 ||
      OWN3(SYS_getsockname, fd, address, &size) != 0)
    return -1;
  return (int) fd;
}

void program(void) {
  struct sockaddr_in address;
  int i;
  listener = listen_alone(&address);
  MUST(listener < 0 ? -errno : 0);
  spare = (int) OWN3(SYS_fcntl, listener, F_DUPFD_CLOEXEC, 0);
  MUST(spare < 0 ? -errno : 0);
  own_close_at_end(spare);
  for (i = 0; i < clients; i++) {
    MUST(uv_tcp_init(&loop, &client[i]));
    BEGIN(&requests[i],
          uv_tcp_connect(&requests[i], &client[i], (struct sockaddr*) &address, on_connect));
  }
  MUST(uv_timer_init(&loop, &server_timer));
  MUST(uv_timer_start(&server_timer, on_timer, 20, 20));
}
