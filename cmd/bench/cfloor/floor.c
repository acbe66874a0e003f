/* What the plugin's start-up is measured against: connect, send one request,
 * copy the reply, in C. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
  static char buf[192 << 10];
  const char *path = getenv("CWAGENT_SOCKET"), *info = getenv("KUBERNETES_EXEC_INFO");
  if (argc != 2 || !path || !info) return 1;
  size_t n = strlen(argv[1]), m = strlen(info);
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof a.sun_path || 20 + n + m > sizeof buf) return 1;
  strcpy(a.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) return 1;
  memcpy(buf, "cwa\1\0\1\0\0", 8);
  uint32_t len[3] = {htonl(n), htonl(m), 0};
  memcpy(buf + 8, len, 12);
  memcpy(buf + 20, argv[1], n);
  memcpy(buf + 20 + n, info, m);
  if (write(fd, buf, 20 + n + m) < 0) return 1;
  for (ssize_t k; (k = read(fd, buf, sizeof buf)) != 0;)
    if (k < 0 || write(1, buf, k) != k) return 1;
  return 0;
}
