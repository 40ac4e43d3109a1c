/* The design that chatroom descends from, as a yardstick: a thread with epoll reads lines, a
 * single-producer single-consumer ring hands them to a broadcaster thread, and that one calls send
 * once for each message and client. Plain lines in; "guestN: text" out to everyone but the sender.
 *
 *     cc -O2 -pthread -o epoll_server epoll_server.c && ./epoll_server 127.0.0.1 9009
 *
 * With port 0 it takes a free one. Prints "listening on PORT" once clients can connect.
 * It is a yardstick, not a server for people: no names, no limits, and a reader whose socket is full
 * is waited for.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CLIENTS = 20000, RING_SLOTS = 1 << 14, MAX_LINE = 2048 };

struct client {
    int fd; /* -1: nobody */
    unsigned number;
    size_t held;         /* bytes of an incomplete line */
    char line[MAX_LINE]; /* they stand here */
};

struct message {
    int from;
    int length; /* 0: the client `from` has left, its descriptor can be closed */
    char text[MAX_LINE + 32];
};

static struct client clients[MAX_CLIENTS]; /* by descriptor */
static atomic_int present[MAX_CLIENTS];    /* what the broadcaster goes by */
static atomic_int highest;

static struct message ring[RING_SLOTS];
static atomic_size_t ring_head, ring_tail; /* head: written by the reader, tail: by the broadcaster */
static sem_t ring_filled;

static struct message *ring_claim(void)
{
    size_t head = atomic_load_explicit(&ring_head, memory_order_relaxed);
    while (head - atomic_load_explicit(&ring_tail, memory_order_acquire) == RING_SLOTS)
        usleep(50); /* full: the socket fills next, and TCP slows the talkers down */
    return &ring[head % RING_SLOTS];
}

static void ring_publish(void)
{
    atomic_fetch_add_explicit(&ring_head, 1, memory_order_release);
    sem_post(&ring_filled);
}

static void send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            poll(&writable, 1, 1000);
        } else if (errno != EINTR) {
            return; /* it is gone: the reader will notice too */
        }
    }
}

static void *broadcast(void *unused)
{
    (void)unused;
    for (;;) {
        while (sem_wait(&ring_filled) < 0)
            ;
        size_t tail = atomic_load_explicit(&ring_tail, memory_order_relaxed);
        struct message *message = &ring[tail % RING_SLOTS];
        if (message->length == 0) {
            atomic_store(&present[message->from], 0);
            close(message->from);
        }
        int last = message->length ? atomic_load(&highest) : -1;
        for (int fd = 0; fd <= last; fd++)
            if (fd != message->from && atomic_load_explicit(&present[fd], memory_order_relaxed))
                send_all(fd, message->text, (size_t)message->length);
        atomic_store_explicit(&ring_tail, tail + 1, memory_order_release);
    }
    return NULL;
}

static void leave(int epoll, struct client *client)
{
    epoll_ctl(epoll, EPOLL_CTL_DEL, client->fd, NULL);
    struct message *message = ring_claim(); /* closed there, so that its number is not reused here */
    message->from = client->fd;
    message->length = 0;
    client->fd = -1;
    ring_publish();
}

static void hear(int epoll, struct client *client)
{
    ssize_t got = recv(client->fd, client->line + client->held, MAX_LINE - client->held, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        leave(epoll, client);
        return;
    }
    client->held += (size_t)got;
    char *start = client->line, *stop = client->line + client->held, *end;
    while ((end = memchr(start, '\n', (size_t)(stop - start))) != NULL) {
        struct message *message = ring_claim();
        message->from = client->fd;
        message->length = sprintf(message->text, "guest%u: %.*s\n", client->number,
                                  (int)(end - start), start);
        ring_publish();
        start = end + 1;
    }
    client->held = (size_t)(stop - start);
    memmove(client->line, start, client->held);
    if (client->held == MAX_LINE)
        leave(epoll, client);
}

static void welcome(int epoll, int listener)
{
    static unsigned number;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (fd >= MAX_CLIENTS) {
            close(fd);
            continue;
        }
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        clients[fd].fd = fd;
        clients[fd].number = ++number;
        clients[fd].held = 0;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        atomic_store(&present[fd], 1);
        if (fd > atomic_load(&highest))
            atomic_store(&highest, fd);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (argc != 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
        fprintf(stderr, "usage: epoll_server ADDRESS PORT\n");
        return 2;
    }
    address.sin_port = htons((unsigned short)atoi(argv[2]));
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
        perror("epoll_server");
        return 1;
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    sem_init(&ring_filled, 0, 0);
    pthread_t broadcaster;
    pthread_create(&broadcaster, NULL, broadcast, NULL);
    printf("listening on %d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++)
            if (events[i].data.fd == listener)
                welcome(epoll, listener);
            else if (clients[events[i].data.fd].fd >= 0)
                hear(epoll, &clients[events[i].data.fd]);
    }
}
