//! The error codes, their names and their texts.
//!
//! <https://docs.libuv.org/en/v1.x/errors.html>

use core::ffi::{CStr, c_int};

/// An error code: one of the `UV_E…` constants, always negative.
#[allow(non_camel_case_types)]
pub type uv_errno_t = c_int;

/// Argument list too long.
pub const UV_E2BIG: uv_errno_t = -libc::E2BIG;
/// Permission denied.
pub const UV_EACCES: uv_errno_t = -libc::EACCES;
/// Address already in use.
pub const UV_EADDRINUSE: uv_errno_t = -libc::EADDRINUSE;
/// Address not available.
pub const UV_EADDRNOTAVAIL: uv_errno_t = -libc::EADDRNOTAVAIL;
/// Address family not supported.
pub const UV_EAFNOSUPPORT: uv_errno_t = -libc::EAFNOSUPPORT;
/// Resource temporarily unavailable.
pub const UV_EAGAIN: uv_errno_t = -libc::EAGAIN;
/// Address family not supported.
pub const UV_EAI_ADDRFAMILY: uv_errno_t = -3000;
/// Temporary failure.
pub const UV_EAI_AGAIN: uv_errno_t = -3001;
/// Bad ai_flags value.
pub const UV_EAI_BADFLAGS: uv_errno_t = -3002;
/// Invalid value for hints.
pub const UV_EAI_BADHINTS: uv_errno_t = -3013;
/// Request canceled.
pub const UV_EAI_CANCELED: uv_errno_t = -3003;
/// Permanent failure.
pub const UV_EAI_FAIL: uv_errno_t = -3004;
/// Ai_family not supported.
pub const UV_EAI_FAMILY: uv_errno_t = -3005;
/// Out of memory.
pub const UV_EAI_MEMORY: uv_errno_t = -3006;
/// No address.
pub const UV_EAI_NODATA: uv_errno_t = -3007;
/// Unknown node or service.
pub const UV_EAI_NONAME: uv_errno_t = -3008;
/// Argument buffer overflow.
pub const UV_EAI_OVERFLOW: uv_errno_t = -3009;
/// Resolved protocol is unknown.
pub const UV_EAI_PROTOCOL: uv_errno_t = -3014;
/// Service not available for socket type.
pub const UV_EAI_SERVICE: uv_errno_t = -3010;
/// Socket type not supported.
pub const UV_EAI_SOCKTYPE: uv_errno_t = -3011;
/// Connection already in progress.
pub const UV_EALREADY: uv_errno_t = -libc::EALREADY;
/// Bad file descriptor.
pub const UV_EBADF: uv_errno_t = -libc::EBADF;
/// Resource busy or locked.
pub const UV_EBUSY: uv_errno_t = -libc::EBUSY;
/// Operation canceled.
pub const UV_ECANCELED: uv_errno_t = -libc::ECANCELED;
/// Invalid Unicode character.
pub const UV_ECHARSET: uv_errno_t = -4080;
/// Software caused connection abort.
pub const UV_ECONNABORTED: uv_errno_t = -libc::ECONNABORTED;
/// Connection refused.
pub const UV_ECONNREFUSED: uv_errno_t = -libc::ECONNREFUSED;
/// Connection reset by peer.
pub const UV_ECONNRESET: uv_errno_t = -libc::ECONNRESET;
/// Destination address required.
pub const UV_EDESTADDRREQ: uv_errno_t = -libc::EDESTADDRREQ;
/// File already exists.
pub const UV_EEXIST: uv_errno_t = -libc::EEXIST;
/// Bad address in system call argument.
pub const UV_EFAULT: uv_errno_t = -libc::EFAULT;
/// File too large.
pub const UV_EFBIG: uv_errno_t = -libc::EFBIG;
/// Inappropriate file type or format.
pub const UV_EFTYPE: uv_errno_t = -4028;
/// Host is down.
pub const UV_EHOSTDOWN: uv_errno_t = -libc::EHOSTDOWN;
/// Host is unreachable.
pub const UV_EHOSTUNREACH: uv_errno_t = -libc::EHOSTUNREACH;
/// Illegal byte sequence.
pub const UV_EILSEQ: uv_errno_t = -libc::EILSEQ;
/// Interrupted system call.
pub const UV_EINTR: uv_errno_t = -libc::EINTR;
/// Invalid argument.
pub const UV_EINVAL: uv_errno_t = -libc::EINVAL;
/// I/o error.
pub const UV_EIO: uv_errno_t = -libc::EIO;
/// Socket is already connected.
pub const UV_EISCONN: uv_errno_t = -libc::EISCONN;
/// Illegal operation on a directory.
pub const UV_EISDIR: uv_errno_t = -libc::EISDIR;
/// Too many symbolic links encountered.
pub const UV_ELOOP: uv_errno_t = -libc::ELOOP;
/// Too many open files.
pub const UV_EMFILE: uv_errno_t = -libc::EMFILE;
/// Too many links.
pub const UV_EMLINK: uv_errno_t = -libc::EMLINK;
/// Message too long.
pub const UV_EMSGSIZE: uv_errno_t = -libc::EMSGSIZE;
/// Name too long.
pub const UV_ENAMETOOLONG: uv_errno_t = -libc::ENAMETOOLONG;
/// Network is down.
pub const UV_ENETDOWN: uv_errno_t = -libc::ENETDOWN;
/// Network is unreachable.
pub const UV_ENETUNREACH: uv_errno_t = -libc::ENETUNREACH;
/// File table overflow.
pub const UV_ENFILE: uv_errno_t = -libc::ENFILE;
/// No buffer space available.
pub const UV_ENOBUFS: uv_errno_t = -libc::ENOBUFS;
/// No data available.
pub const UV_ENODATA: uv_errno_t = -libc::ENODATA;
/// No such device.
pub const UV_ENODEV: uv_errno_t = -libc::ENODEV;
/// No such file or directory.
pub const UV_ENOENT: uv_errno_t = -libc::ENOENT;
/// Exec format error.
pub const UV_ENOEXEC: uv_errno_t = -libc::ENOEXEC;
/// Not enough memory.
pub const UV_ENOMEM: uv_errno_t = -libc::ENOMEM;
/// Machine is not on the network.
pub const UV_ENONET: uv_errno_t = -libc::ENONET;
/// Protocol not available.
pub const UV_ENOPROTOOPT: uv_errno_t = -libc::ENOPROTOOPT;
/// No space left on device.
pub const UV_ENOSPC: uv_errno_t = -libc::ENOSPC;
/// Function not implemented.
pub const UV_ENOSYS: uv_errno_t = -libc::ENOSYS;
/// Socket is not connected.
pub const UV_ENOTCONN: uv_errno_t = -libc::ENOTCONN;
/// Not a directory.
pub const UV_ENOTDIR: uv_errno_t = -libc::ENOTDIR;
/// Directory not empty.
pub const UV_ENOTEMPTY: uv_errno_t = -libc::ENOTEMPTY;
/// Socket operation on non-socket.
pub const UV_ENOTSOCK: uv_errno_t = -libc::ENOTSOCK;
/// Operation not supported on socket.
pub const UV_ENOTSUP: uv_errno_t = -libc::EOPNOTSUPP;
/// Inappropriate ioctl for device.
pub const UV_ENOTTY: uv_errno_t = -libc::ENOTTY;
/// No such device or address.
pub const UV_ENXIO: uv_errno_t = -libc::ENXIO;
/// End of file.
pub const UV_EOF: uv_errno_t = -4095;
/// Value too large for defined data type.
pub const UV_EOVERFLOW: uv_errno_t = -libc::EOVERFLOW;
/// Operation not permitted.
pub const UV_EPERM: uv_errno_t = -libc::EPERM;
/// Broken pipe.
pub const UV_EPIPE: uv_errno_t = -libc::EPIPE;
/// Protocol error.
pub const UV_EPROTO: uv_errno_t = -libc::EPROTO;
/// Protocol not supported.
pub const UV_EPROTONOSUPPORT: uv_errno_t = -libc::EPROTONOSUPPORT;
/// Protocol wrong type for socket.
pub const UV_EPROTOTYPE: uv_errno_t = -libc::EPROTOTYPE;
/// Result too large.
pub const UV_ERANGE: uv_errno_t = -libc::ERANGE;
/// Remote I/O error.
pub const UV_EREMOTEIO: uv_errno_t = -libc::EREMOTEIO;
/// Read-only file system.
pub const UV_EROFS: uv_errno_t = -libc::EROFS;
/// Cannot send after transport endpoint shutdown.
pub const UV_ESHUTDOWN: uv_errno_t = -libc::ESHUTDOWN;
/// Socket type not supported.
pub const UV_ESOCKTNOSUPPORT: uv_errno_t = -libc::ESOCKTNOSUPPORT;
/// Invalid seek.
pub const UV_ESPIPE: uv_errno_t = -libc::ESPIPE;
/// No such process.
pub const UV_ESRCH: uv_errno_t = -libc::ESRCH;
/// Connection timed out.
pub const UV_ETIMEDOUT: uv_errno_t = -libc::ETIMEDOUT;
/// Text file is busy.
pub const UV_ETXTBSY: uv_errno_t = -libc::ETXTBSY;
/// Protocol driver not attached.
pub const UV_EUNATCH: uv_errno_t = -libc::EUNATCH;
/// Cross-device link not permitted.
pub const UV_EXDEV: uv_errno_t = -libc::EXDEV;
/// Unknown error.
pub const UV_UNKNOWN: uv_errno_t = -4094;
/// Below every error code.
pub const UV_ERRNO_MAX: uv_errno_t = UV_EOF - 1;

/// One row of [`ERRORS`].
pub struct ErrorText {
    /// The code.
    pub code: uv_errno_t,
    /// What `uv_err_name` answers.
    pub name: &'static CStr,
    /// What `uv_strerror` answers.
    pub message: &'static CStr,
}

const fn row(code: uv_errno_t, name: &'static CStr, message: &'static CStr) -> ErrorText {
    ErrorText {
        code,
        name,
        message,
    }
}

/// Every error, in the order of libuv's `UV_ERRNO_MAP`, which programs show.
pub const ERRORS: &[ErrorText] = &[
    row(UV_E2BIG, c"E2BIG", c"argument list too long"),
    row(UV_EACCES, c"EACCES", c"permission denied"),
    row(UV_EADDRINUSE, c"EADDRINUSE", c"address already in use"),
    row(UV_EADDRNOTAVAIL, c"EADDRNOTAVAIL", c"address not available"),
    row(
        UV_EAFNOSUPPORT,
        c"EAFNOSUPPORT",
        c"address family not supported",
    ),
    row(UV_EAGAIN, c"EAGAIN", c"resource temporarily unavailable"),
    row(
        UV_EAI_ADDRFAMILY,
        c"EAI_ADDRFAMILY",
        c"address family not supported",
    ),
    row(UV_EAI_AGAIN, c"EAI_AGAIN", c"temporary failure"),
    row(UV_EAI_BADFLAGS, c"EAI_BADFLAGS", c"bad ai_flags value"),
    row(UV_EAI_BADHINTS, c"EAI_BADHINTS", c"invalid value for hints"),
    row(UV_EAI_CANCELED, c"EAI_CANCELED", c"request canceled"),
    row(UV_EAI_FAIL, c"EAI_FAIL", c"permanent failure"),
    row(UV_EAI_FAMILY, c"EAI_FAMILY", c"ai_family not supported"),
    row(UV_EAI_MEMORY, c"EAI_MEMORY", c"out of memory"),
    row(UV_EAI_NODATA, c"EAI_NODATA", c"no address"),
    row(UV_EAI_NONAME, c"EAI_NONAME", c"unknown node or service"),
    row(
        UV_EAI_OVERFLOW,
        c"EAI_OVERFLOW",
        c"argument buffer overflow",
    ),
    row(
        UV_EAI_PROTOCOL,
        c"EAI_PROTOCOL",
        c"resolved protocol is unknown",
    ),
    row(
        UV_EAI_SERVICE,
        c"EAI_SERVICE",
        c"service not available for socket type",
    ),
    row(
        UV_EAI_SOCKTYPE,
        c"EAI_SOCKTYPE",
        c"socket type not supported",
    ),
    row(UV_EALREADY, c"EALREADY", c"connection already in progress"),
    row(UV_EBADF, c"EBADF", c"bad file descriptor"),
    row(UV_EBUSY, c"EBUSY", c"resource busy or locked"),
    row(UV_ECANCELED, c"ECANCELED", c"operation canceled"),
    row(UV_ECHARSET, c"ECHARSET", c"invalid Unicode character"),
    row(
        UV_ECONNABORTED,
        c"ECONNABORTED",
        c"software caused connection abort",
    ),
    row(UV_ECONNREFUSED, c"ECONNREFUSED", c"connection refused"),
    row(UV_ECONNRESET, c"ECONNRESET", c"connection reset by peer"),
    row(
        UV_EDESTADDRREQ,
        c"EDESTADDRREQ",
        c"destination address required",
    ),
    row(UV_EEXIST, c"EEXIST", c"file already exists"),
    row(UV_EFAULT, c"EFAULT", c"bad address in system call argument"),
    row(UV_EFBIG, c"EFBIG", c"file too large"),
    row(UV_EHOSTUNREACH, c"EHOSTUNREACH", c"host is unreachable"),
    row(UV_EINTR, c"EINTR", c"interrupted system call"),
    row(UV_EINVAL, c"EINVAL", c"invalid argument"),
    row(UV_EIO, c"EIO", c"i/o error"),
    row(UV_EISCONN, c"EISCONN", c"socket is already connected"),
    row(UV_EISDIR, c"EISDIR", c"illegal operation on a directory"),
    row(UV_ELOOP, c"ELOOP", c"too many symbolic links encountered"),
    row(UV_EMFILE, c"EMFILE", c"too many open files"),
    row(UV_EMSGSIZE, c"EMSGSIZE", c"message too long"),
    row(UV_ENAMETOOLONG, c"ENAMETOOLONG", c"name too long"),
    row(UV_ENETDOWN, c"ENETDOWN", c"network is down"),
    row(UV_ENETUNREACH, c"ENETUNREACH", c"network is unreachable"),
    row(UV_ENFILE, c"ENFILE", c"file table overflow"),
    row(UV_ENOBUFS, c"ENOBUFS", c"no buffer space available"),
    row(UV_ENODEV, c"ENODEV", c"no such device"),
    row(UV_ENOENT, c"ENOENT", c"no such file or directory"),
    row(UV_ENOMEM, c"ENOMEM", c"not enough memory"),
    row(UV_ENONET, c"ENONET", c"machine is not on the network"),
    row(UV_ENOPROTOOPT, c"ENOPROTOOPT", c"protocol not available"),
    row(UV_ENOSPC, c"ENOSPC", c"no space left on device"),
    row(UV_ENOSYS, c"ENOSYS", c"function not implemented"),
    row(UV_ENOTCONN, c"ENOTCONN", c"socket is not connected"),
    row(UV_ENOTDIR, c"ENOTDIR", c"not a directory"),
    row(UV_ENOTEMPTY, c"ENOTEMPTY", c"directory not empty"),
    row(UV_ENOTSOCK, c"ENOTSOCK", c"socket operation on non-socket"),
    row(UV_ENOTSUP, c"ENOTSUP", c"operation not supported on socket"),
    row(
        UV_EOVERFLOW,
        c"EOVERFLOW",
        c"value too large for defined data type",
    ),
    row(UV_EPERM, c"EPERM", c"operation not permitted"),
    row(UV_EPIPE, c"EPIPE", c"broken pipe"),
    row(UV_EPROTO, c"EPROTO", c"protocol error"),
    row(
        UV_EPROTONOSUPPORT,
        c"EPROTONOSUPPORT",
        c"protocol not supported",
    ),
    row(
        UV_EPROTOTYPE,
        c"EPROTOTYPE",
        c"protocol wrong type for socket",
    ),
    row(UV_ERANGE, c"ERANGE", c"result too large"),
    row(UV_EROFS, c"EROFS", c"read-only file system"),
    row(
        UV_ESHUTDOWN,
        c"ESHUTDOWN",
        c"cannot send after transport endpoint shutdown",
    ),
    row(UV_ESPIPE, c"ESPIPE", c"invalid seek"),
    row(UV_ESRCH, c"ESRCH", c"no such process"),
    row(UV_ETIMEDOUT, c"ETIMEDOUT", c"connection timed out"),
    row(UV_ETXTBSY, c"ETXTBSY", c"text file is busy"),
    row(UV_EXDEV, c"EXDEV", c"cross-device link not permitted"),
    row(UV_UNKNOWN, c"UNKNOWN", c"unknown error"),
    row(UV_EOF, c"EOF", c"end of file"),
    row(UV_ENXIO, c"ENXIO", c"no such device or address"),
    row(UV_EMLINK, c"EMLINK", c"too many links"),
    row(UV_EHOSTDOWN, c"EHOSTDOWN", c"host is down"),
    row(UV_EREMOTEIO, c"EREMOTEIO", c"remote I/O error"),
    row(UV_ENOTTY, c"ENOTTY", c"inappropriate ioctl for device"),
    row(UV_EFTYPE, c"EFTYPE", c"inappropriate file type or format"),
    row(UV_EILSEQ, c"EILSEQ", c"illegal byte sequence"),
    row(
        UV_ESOCKTNOSUPPORT,
        c"ESOCKTNOSUPPORT",
        c"socket type not supported",
    ),
    row(UV_ENODATA, c"ENODATA", c"no data available"),
    row(UV_EUNATCH, c"EUNATCH", c"protocol driver not attached"),
    row(UV_ENOEXEC, c"ENOEXEC", c"exec format error"),
];
