/* As little as a server can do: reads what the talkers have sent, puts a name before each line, and
 * sends the whole batch to every connection with one system call, less its own lines. No ring, no
 * threads, no care for slow readers. What a load generator reaches against it is how far the load
 * generator can go.
 *
 *     cc -O2 -o null_server null_server.c && ./null_server 127.0.0.1 9009 [json|turns]
 *
 * With `json` the talker's lines go out in a frame as long as an event of the room. Prints
 * "listening on PORT" once clients can connect; with `turns` also "turn N: T us" for the Nth batch,
 * which took so long to hand out.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CLIENTS = 20000, BATCH = 1 << 16 };

static char held[MAX_CLIENTS][2048]; /* the incomplete line of each descriptor */
static size_t held_length[MAX_CLIENTS];
static int members[MAX_CLIENTS], member_count, json, times_turns;
static unsigned long seq, turns;
static char batch[BATCH * 16];
static size_t filled;

enum { MAX_PIECES = 4096 };
static struct { int fd; size_t start, stop; } pieces[MAX_PIECES]; /* whose lines stand where */
static int piece_count;

static void leave(int fd)
{
    for (int i = 0; i < member_count; i++)
        if (members[i] == fd)
            members[i] = members[--member_count];
    close(fd);
}

static size_t frame(char *out, int from, const char *line, size_t length)
{
    if (!json)
        return (size_t)sprintf(out, "guest%d: %.*s\n", from, (int)length, line);
    if (length < 28 || memcmp(line, "{\"kind\":\"message\",\"text\":\"", 26) != 0)
        return 0;
    return (size_t)sprintf(out,
                           "{\"seq\":%lu,\"time\":\"2026-01-01T00:00:00.000000Z\","
                           "\"kind\":\"message\",\"nick\":\"guest%d\",%.*s\n",
                           ++seq, from, (int)(length - 18), line + 18);
}

static void send_all(int fd, struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    while (message.msg_iovlen > 0) {
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return;
        if (sent < 0) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            poll(&writable, 1, 1000);
            continue;
        }
        while (message.msg_iovlen > 0 && (size_t)sent >= message.msg_iov->iov_len) {
            sent -= (ssize_t)message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + sent;
            message.msg_iov->iov_len -= (size_t)sent;
        }
    }
}

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void broadcast(void)
{
    static struct iovec parts[MAX_PIECES + 1];
    if (filled == 0)
        return;
    double begun = times_turns ? microseconds() : 0;
    for (int i = 0; i < member_count; i++) {
        size_t from = 0;
        int count = 0;
        for (int p = 0; p <= piece_count && count < 1000; p++) {
            if (p < piece_count && pieces[p].fd != members[i])
                continue;
            size_t to = p < piece_count ? pieces[p].start : filled;
            if (to > from)
                parts[count++] = (struct iovec){batch + from, to - from};
            from = p < piece_count ? pieces[p].stop : filled;
        }
        send_all(members[i], parts, count);
    }
    filled = 0;
    piece_count = 0;
    if (times_turns)
        printf("turn %lu: %.1f us\n", ++turns, microseconds() - begun);
}

static void hear(int fd)
{
    static char input[BATCH];
    size_t length = held_length[fd], out = 0;
    memcpy(input, held[fd], length);
    ssize_t got = recv(fd, input + length, BATCH - length, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        leave(fd);
        return;
    }
    char *start = input, *stop = input + length + got, *end;
    while ((end = memchr(start, '\n', (size_t)(stop - start))) != NULL) {
        out += frame(batch + filled + out, fd, start, (size_t)(end - start));
        start = end + 1;
    }
    held_length[fd] = (size_t)(stop - start) < sizeof held[fd] ? (size_t)(stop - start) : 0;
    memcpy(held[fd], start, held_length[fd]);
    if (out == 0)
        return;
    pieces[piece_count].fd = fd;
    pieces[piece_count].start = filled;
    pieces[piece_count++].stop = filled += out;
    if (piece_count == MAX_PIECES || filled > sizeof batch / 2)
        broadcast();
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (argc < 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
        fprintf(stderr, "usage: null_server ADDRESS PORT [json|turns]\n");
        return 2;
    }
    address.sin_port = htons((unsigned short)atoi(argv[2]));
    json = argc > 3 && strcmp(argv[3], "json") == 0;
    times_turns = argc > 3 && strcmp(argv[3], "turns") == 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 4096) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        perror("null_server");
        return 1;
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    printf("listening on %d\n", ntohs(address.sin_port));
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                hear(fd);
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                if (fd >= MAX_CLIENTS) {
                    close(fd);
                    continue;
                }
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                held_length[fd] = 0;
                members[member_count++] = fd;
                struct epoll_event joined = {.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &joined);
            }
        }
        broadcast();
    }
}
