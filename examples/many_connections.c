/* Many connections at once on one loop: a server and a client in two processes.
 *
 *   many_connections CONNECTIONS MESSAGES
 *
 * The client makes all connections; when the server has them all it notes its memory and says
 * "go" on each; the client then sends the messages one after the other on every connection and
 * checks each echo. Prints what the server saw. */
#include "common.h"

#include <signal.h>
#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE 64

static int connections;
static int messages;

static void fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

/* --- The server --- */

static uv_tcp_t server;
static uv_tcp_t** clients;
static int accepted;
static int ended;
static int threads;
static unsigned long long received;
static size_t rss_before;
static size_t rss_after;
static char shared_buffer[65536];

static int count_threads(void) {
  DIR* dir = opendir("/proc/self/task");
  int count = -2;
  while (dir != NULL && readdir(dir) != NULL) count++;
  if (dir != NULL) closedir(dir);
  return count;
}

static size_t resident(void) {
  size_t rss = 0;
  check(uv_resident_set_memory(&rss), "memory");
  return rss;
}

static void one_buffer(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  (void) handle, (void) suggested;
  *buf = uv_buf_init(shared_buffer, sizeof(shared_buffer));
}

static void on_echo_written(uv_write_t* request, int status) {
  check(status, "write");
  free(request);
}

static void on_server_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  uv_buf_t copy;
  uv_write_t* request;

  if (count < 0) {
    uv_close((uv_handle_t*) stream, free_handle);
    if (++ended == connections) {
      threads = count_threads();
      uv_close((uv_handle_t*) &server, NULL);
    }
    return;
  }
  if (count == 0) return;
  received += (unsigned long long) count;
  request = malloc(sizeof(*request) + (size_t) count);
  memcpy(request + 1, buf->base, (size_t) count);
  copy = uv_buf_init((char*) (request + 1), (unsigned int) count);
  check(uv_write(request, stream, &copy, 1, on_echo_written), "write");
}

static void on_connection(uv_stream_t* listener, int status) {
  uv_buf_t go = uv_buf_init((char*) "!", 1);
  int i;

  check(status, "connection");
  clients[accepted] = malloc(sizeof(uv_tcp_t));
  check(uv_tcp_init(listener->loop, clients[accepted]), "init");
  check(uv_accept(listener, (uv_stream_t*) clients[accepted]), "accept");
  check(uv_read_start((uv_stream_t*) clients[accepted], one_buffer, on_server_read), "read");
  if (++accepted < connections) return;
  rss_after = resident();
  for (i = 0; i < connections; i++)
    if (uv_try_write((uv_stream_t*) clients[i], &go, 1) != 1) fail("go was not sent");
}

static int serve(int port_pipe) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in address;
  int length = sizeof(address);

  clients = calloc((size_t) connections, sizeof(*clients));
  memset(clients, 0, (size_t) connections * sizeof(*clients));
  check(uv_ip4_addr("127.0.0.1", 0, &address), "address");
  check(uv_tcp_init(loop, &server), "init");
  check(uv_tcp_bind(&server, (const struct sockaddr*) &address, 0), "bind");
  check(uv_listen((uv_stream_t*) &server, 4096, on_connection), "listen");
  check(uv_tcp_getsockname(&server, (struct sockaddr*) &address, &length), "name");
  rss_before = resident();
  if (write(port_pipe, &address.sin_port, sizeof(address.sin_port)) < 0) fail("pipe");
  uv_run(loop, UV_RUN_DEFAULT);
  printf("connections %d, bytes %llu, threads %d, bytes of memory per idle connection %lld\n",
         accepted, received, threads,
         ((long long) rss_after - (long long) rss_before) / connections);
  return received != (unsigned long long) connections * (unsigned) messages * MESSAGE ||
         threads != 1;
}

/* --- The client --- */

struct peer {
  uv_tcp_t handle;
  uv_connect_t connect;
  char message[MESSAGE];
  int has_go;
  int sent;
  size_t got;
};

static int completed;

static void on_message_written(uv_write_t* request, int status) {
  check(status, "write");
  free(request);
}

/* The echo of a message may come before its write is reported done: each has its own request. */
static void send_next(struct peer* peer) {
  uv_write_t* request;
  uv_buf_t buf = uv_buf_init(peer->message, MESSAGE);
  if (peer->sent == messages) {
    completed++;
    uv_close((uv_handle_t*) &peer->handle, NULL);
    return;
  }
  memset(peer->message, 'a' + peer->sent % 26, MESSAGE);
  peer->sent++;
  peer->got = 0;
  request = malloc(sizeof(*request));
  check(uv_write(request, (uv_stream_t*) &peer->handle, &buf, 1, on_message_written), "write");
}

static void on_client_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buf) {
  struct peer* peer = stream->data;
  ssize_t i = 0;

  if (count < 0) fail("a connection was lost");
  if (count > 0 && !peer->has_go) {
    if (buf->base[0] != '!') fail("no go");
    peer->has_go = 1;
    send_next(peer);
    return;
  }
  for (; i < count; i++)
    if (buf->base[i] != peer->message[0]) fail("a wrong echo");
  peer->got += (size_t) count;
  if (peer->got > MESSAGE) fail("too much echo");
  if (peer->got == MESSAGE) send_next(peer);
}

static void on_connected(uv_connect_t* request, int status) {
  check(status, "connect");
  check(uv_read_start(request->handle, one_buffer, on_client_read), "read");
}

static int connect_all(int port_pipe) {
  uv_loop_t* loop = uv_default_loop();
  struct sockaddr_in address;
  struct peer* peers = calloc((size_t) connections, sizeof(*peers));
  uint16_t port;
  int i;

  if (read(port_pipe, &port, sizeof(port)) != sizeof(port)) fail("no port");
  check(uv_ip4_addr("127.0.0.1", ntohs(port), &address), "address");
  for (i = 0; i < connections; i++) {
    check(uv_tcp_init(loop, &peers[i].handle), "init");
    peers[i].handle.data = &peers[i];
    check(uv_tcp_connect(&peers[i].connect, &peers[i].handle, (const struct sockaddr*) &address,
                         on_connected),
          "connect");
    /* Let the server keep up: its backlog is not endless. */
    if (i % 256 == 0) uv_run(loop, UV_RUN_NOWAIT);
  }
  uv_run(loop, UV_RUN_DEFAULT);
  return completed != connections;
}

int main(int argc, char** argv) {
  struct rlimit limit;
  int port_pipe[2];
  int status;
  pid_t child;
  int result;

  if (argc != 3) {
    fprintf(stderr, "usage: %s CONNECTIONS MESSAGES\n", argv[0]);
    return 2;
  }
  connections = atoi(argv[1]);
  messages = atoi(argv[2]);
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < (rlim_t) connections + 64) fail("too few descriptors allowed");
  if (pipe(port_pipe) != 0) fail("pipe");
  child = fork();
  if (child == 0) {
    close(port_pipe[1]);
    _exit(connect_all(port_pipe[0]));
  }
  close(port_pipe[0]);
  result = serve(port_pipe[1]);
  if (waitpid(child, &status, 0) != child || status != 0) fail("the client failed");
  return result;
}
