package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// Failure is a call that brought no whole answer. Its text is one of a closed set: the library's own would show the
// address, whose path or query may be a secret, and bytes that the server chose. The cause is there for errors.Is.
type Failure struct {
	what  string
	cause error
}

// Error returns what happened, as the end of a sentence whose subject is the server.
func (f *Failure) Error() string { return f.what }

// Unwrap returns the cause, whose text is for nobody's eyes.
func (f *Failure) Unwrap() error { return f.cause }

func failure(err error) error { return &Failure{what: describe(err), cause: err} }

func describe(err error) string {
	var name *net.DNSError
	var record tls.RecordHeaderError
	var alert *net.OpError
	var network net.Error
	switch {
	case errors.Is(err, ErrRefused):
		return ErrRefused.Error()
	case errors.Is(err, ErrTooLarge):
		return "sent more than we read"
	case errors.Is(err, context.Canceled):
		return "was not waited for: the call was cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "did not answer in time"
	case errors.As(err, &name):
		if name.IsTimeout {
			return "has a name that could not be looked up in time"
		}
		return "has a name that cannot be looked up"
	case errors.As(err, &network) && network.Timeout():
		return "did not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses connections"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "cannot be reached"
	}
	if text, ok := describeCertificate(err); ok {
		return text
	}
	switch {
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch),
		errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error"): // how crypto/tls tells of its alerts
		return "does not speak TLS as we do"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return "closed the connection before it had answered"
	default:
		return "did not answer as HTTP asks"
	}
}

func describeCertificate(err error) (string, bool) {
	var host x509.HostnameError
	var stranger x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var other *tls.CertificateVerificationError
	switch {
	case errors.As(err, &host):
		return "has a certificate for another name", true
	case errors.As(err, &stranger):
		return "has a certificate that nobody we trust vouches for", true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has a certificate that is not valid now", true
	case errors.As(err, &invalid), errors.As(err, &other):
		return "has a certificate that cannot be trusted", true
	default:
		return "", false
	}
}
