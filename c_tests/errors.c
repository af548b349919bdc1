/* https://docs.libuv.org/en/v1.x/errors.html */
#include "task.h"

struct error {
  int code;
  int number;
  const char* name;
  const char* text;
};

/* An error of the system, and one that has a number of the library's own. */
#define SYSTEM(name, text) {UV_##name, -name, #name, text}
#define OWN(name, number, text) {UV_##name, number, #name, text}

static const struct error errors[] = {
    SYSTEM(E2BIG, "argument list too long"),
    SYSTEM(EACCES, "permission denied"),
    SYSTEM(EADDRINUSE, "address already in use"),
    SYSTEM(EADDRNOTAVAIL, "address not available"),
    SYSTEM(EAFNOSUPPORT, "address family not supported"),
    SYSTEM(EAGAIN, "resource temporarily unavailable"),
    OWN(EAI_ADDRFAMILY, -3000, "address family not supported"),
    OWN(EAI_AGAIN, -3001, "temporary failure"),
    OWN(EAI_BADFLAGS, -3002, "bad ai_flags value"),
    OWN(EAI_BADHINTS, -3013, "invalid value for hints"),
    OWN(EAI_CANCELED, -3003, "request canceled"),
    OWN(EAI_FAIL, -3004, "permanent failure"),
    OWN(EAI_FAMILY, -3005, "ai_family not supported"),
    OWN(EAI_MEMORY, -3006, "out of memory"),
    OWN(EAI_NODATA, -3007, "no address"),
    OWN(EAI_NONAME, -3008, "unknown node or service"),
    OWN(EAI_OVERFLOW, -3009, "argument buffer overflow"),
    OWN(EAI_PROTOCOL, -3014, "resolved protocol is unknown"),
    OWN(EAI_SERVICE, -3010, "service not available for socket type"),
    OWN(EAI_SOCKTYPE, -3011, "socket type not supported"),
    SYSTEM(EALREADY, "connection already in progress"),
    SYSTEM(EBADF, "bad file descriptor"),
    SYSTEM(EBUSY, "resource busy or locked"),
    SYSTEM(ECANCELED, "operation canceled"),
    OWN(ECHARSET, -4080, "invalid Unicode character"),
    SYSTEM(ECONNABORTED, "software caused connection abort"),
    SYSTEM(ECONNREFUSED, "connection refused"),
    SYSTEM(ECONNRESET, "connection reset by peer"),
    SYSTEM(EDESTADDRREQ, "destination address required"),
    SYSTEM(EEXIST, "file already exists"),
    SYSTEM(EFAULT, "bad address in system call argument"),
    SYSTEM(EFBIG, "file too large"),
    OWN(EFTYPE, -4028, "inappropriate file type or format"),
    SYSTEM(EHOSTDOWN, "host is down"),
    SYSTEM(EHOSTUNREACH, "host is unreachable"),
    SYSTEM(EILSEQ, "illegal byte sequence"),
    SYSTEM(EINTR, "interrupted system call"),
    SYSTEM(EINVAL, "invalid argument"),
    SYSTEM(EIO, "i/o error"),
    SYSTEM(EISCONN, "socket is already connected"),
    SYSTEM(EISDIR, "illegal operation on a directory"),
    SYSTEM(ELOOP, "too many symbolic links encountered"),
    SYSTEM(EMFILE, "too many open files"),
    SYSTEM(EMLINK, "too many links"),
    SYSTEM(EMSGSIZE, "message too long"),
    SYSTEM(ENAMETOOLONG, "name too long"),
    SYSTEM(ENETDOWN, "network is down"),
    SYSTEM(ENETUNREACH, "network is unreachable"),
    SYSTEM(ENFILE, "file table overflow"),
    SYSTEM(ENOBUFS, "no buffer space available"),
    SYSTEM(ENODATA, "no data available"),
    SYSTEM(ENODEV, "no such device"),
    SYSTEM(ENOENT, "no such file or directory"),
    SYSTEM(ENOEXEC, "exec format error"),
    SYSTEM(ENOMEM, "not enough memory"),
    SYSTEM(ENONET, "machine is not on the network"),
    SYSTEM(ENOPROTOOPT, "protocol not available"),
    SYSTEM(ENOSPC, "no space left on device"),
    SYSTEM(ENOSYS, "function not implemented"),
    SYSTEM(ENOTCONN, "socket is not connected"),
    SYSTEM(ENOTDIR, "not a directory"),
    SYSTEM(ENOTEMPTY, "directory not empty"),
    SYSTEM(ENOTSOCK, "socket operation on non-socket"),
    SYSTEM(ENOTSUP, "operation not supported on socket"),
    SYSTEM(ENOTTY, "inappropriate ioctl for device"),
    SYSTEM(ENXIO, "no such device or address"),
    OWN(EOF, -4095, "end of file"),
    SYSTEM(EOVERFLOW, "value too large for defined data type"),
    SYSTEM(EPERM, "operation not permitted"),
    SYSTEM(EPIPE, "broken pipe"),
    SYSTEM(EPROTO, "protocol error"),
    SYSTEM(EPROTONOSUPPORT, "protocol not supported"),
    SYSTEM(EPROTOTYPE, "protocol wrong type for socket"),
    SYSTEM(ERANGE, "result too large"),
    SYSTEM(EREMOTEIO, "remote I/O error"),
    SYSTEM(EROFS, "read-only file system"),
    SYSTEM(ESHUTDOWN, "cannot send after transport endpoint shutdown"),
    SYSTEM(ESOCKTNOSUPPORT, "socket type not supported"),
    SYSTEM(ESPIPE, "invalid seek"),
    SYSTEM(ESRCH, "no such process"),
    SYSTEM(ETIMEDOUT, "connection timed out"),
    SYSTEM(ETXTBSY, "text file is busy"),
    SYSTEM(EUNATCH, "protocol driver not attached"),
    SYSTEM(EXDEV, "cross-device link not permitted"),
    OWN(UNKNOWN, -4094, "unknown error"),
};

enum { total = sizeof(errors) / sizeof(errors[0]) };

#define COUNT(name, text) +1
#define SAME(name_, text_)                                                                         \
  if (strcmp(#name_, error->name) == 0) {                                                          \
    ASSERT_STR_EQ(text_, error->text);                                                             \
    found++;                                                                                       \
  }

TEST_IMPL(the_codes_are_the_negated_numbers_of_the_system) {
  int i;
  for (i = 0; i < total; i++) {
    ASSERT_EQ(errors[i].code, errors[i].number);
    ASSERT_LT(errors[i].code, 0);
  }
}

TEST_IMPL(every_code_has_a_name_and_a_text) {
  char buffer[128];
  int i;
  for (i = 0; i < total; i++) {
    const struct error* error = &errors[i];
    ASSERT_STR_EQ(uv_err_name(error->code), error->name);
    ASSERT_STR_EQ(uv_strerror(error->code), error->text);
    ASSERT_PTR_EQ(uv_err_name_r(error->code, buffer, sizeof(buffer)), buffer);
    ASSERT_STR_EQ(buffer, error->name);
    ASSERT_PTR_EQ(uv_strerror_r(error->code, buffer, sizeof(buffer)), buffer);
    ASSERT_STR_EQ(buffer, error->text);
  }
}

TEST_IMPL(the_map_of_the_header_has_every_error_once) {
  int i;
  ASSERT_EQ(0 UV_ERRNO_MAP(COUNT), total);
  for (i = 0; i < total; i++) {
    const struct error* error = &errors[i];
    int found = 0;
    UV_ERRNO_MAP(SAME)
    ASSERT_EQ(found, 1);
  }
}

TEST_IMPL(the_end_marker_is_after_all_codes) {
  int i;
  for (i = 0; i < total; i++) ASSERT_GT(errors[i].code, UV_ERRNO_MAX);
}

/* Texts of unknown errors are leaked, as documented; kept here, they are not lost. */
static const char* volatile leaked[32];
static int leaked_total;

static const char* keep(const char* text) {
  ASSERT_LT(leaked_total, (int) (sizeof(leaked) / sizeof(leaked[0])));
  return leaked[leaked_total++] = text;
}

TEST_IMPL(other_numbers_are_unknown_errors) {
  static const int numbers[] = {0, 1, 42, -123456, -4096, -2999, INT_MAX, -99999999};
  char expected[64];
  char buffer[64];
  size_t i;
  for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    snprintf(expected, sizeof(expected), "Unknown system error %d", numbers[i]);
    ASSERT_STR_EQ(keep(uv_err_name(numbers[i])), expected);
    ASSERT_STR_EQ(keep(uv_strerror(numbers[i])), expected);
    ASSERT_PTR_EQ(uv_err_name_r(numbers[i], buffer, sizeof(buffer)), buffer);
    ASSERT_STR_EQ(buffer, expected);
    ASSERT_PTR_EQ(uv_strerror_r(numbers[i], buffer, sizeof(buffer)), buffer);
    ASSERT_STR_EQ(buffer, expected);
  }
}

TEST_IMPL(what_does_not_fit_is_cut_and_terminated) {
  char buffer[16];
  memset(buffer, '#', sizeof(buffer));
  ASSERT_STR_EQ(uv_err_name_r(UV_ENOENT, buffer, 4), "ENO");
  ASSERT_EQ(buffer[4], '#');
  ASSERT_STR_EQ(uv_strerror_r(UV_ENOENT, buffer, 8), "no such");
  ASSERT_EQ(buffer[8], '#');
  ASSERT_STR_EQ(uv_err_name_r(-123456, buffer, 9), "Unknown ");
  ASSERT_EQ(buffer[9], '#');
  ASSERT_STR_EQ(uv_strerror_r(-123456, buffer, 1), "");
  ASSERT_EQ(buffer[1], 'n');
}

TEST_IMPL(names_and_texts_of_unknown_errors_stay_apart) {
  const char* first = keep(uv_strerror(-111111));
  const char* second = keep(uv_strerror(-222222));
  ASSERT_STR_EQ(first, "Unknown system error -111111");
  ASSERT_STR_EQ(second, "Unknown system error -222222");
}

TEST_IMPL(translate_negates_the_errors_of_the_system) {
  int i;
  for (i = 0; i < total; i++) {
    /* A number that is a code already stays as it is. */
    ASSERT_EQ(uv_translate_sys_error(errors[i].code), errors[i].code);
    ASSERT_EQ(uv_translate_sys_error(-errors[i].number), errors[i].code);
  }
  ASSERT_EQ(uv_translate_sys_error(0), 0);
  ASSERT_EQ(uv_translate_sys_error(123456), -123456);
  ASSERT_EQ(uv_translate_sys_error(-123456), -123456);
}

/* Programs show the errors in the order of the map: by name, and behind UNKNOWN as they came. */
TEST_IMPL(the_map_is_in_the_order_of_libuv) {
  static const char* const late[] = {
      "EOF",    "ENXIO",  "EMLINK",          "EHOSTDOWN", "EREMOTEIO", "ENOTTY",
      "EFTYPE", "EILSEQ", "ESOCKTNOSUPPORT", "ENODATA",   "EUNATCH",   "ENOEXEC"};
#define NAME(name, message) #name,
  static const char* const map[] = {UV_ERRNO_MAP(NAME)};
#undef NAME
  size_t size = sizeof(map) / sizeof(map[0]);
  size_t early = size - sizeof(late) / sizeof(late[0]);

  for (size_t at = 1; at < early; at++) ASSERT_LT(strcmp(map[at - 1], map[at]), 0);
  ASSERT_STR_EQ(map[early - 1], "UNKNOWN");
  for (size_t at = early; at < size; at++) ASSERT_STR_EQ(map[at], late[at - early]);
}
