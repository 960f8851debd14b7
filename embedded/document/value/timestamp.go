package value

import (
	"fmt"
	"math"
	"time"
)

// The range of timestamps is what $date can say. In the years 0000 to 9999 (UTC) it says nanoseconds; outside them only
// whole milliseconds, as many as an int64 counts.
const (
	minPlainSecond = -62167219200 // 0000-01-01T00:00:00Z
	maxPlainSecond = 253402300799 // 9999-12-31T23:59:59Z
	minSecond      = math.MinInt64/1000 - 1
	maxSecond      = math.MaxInt64 / 1000
)

// Timestamp returns the instant t; the location and the monotonic clock are dropped. Outside the years 0000 to 9999 the
// instant is rounded down to the millisecond, and kept within what an int64 of milliseconds can say; use TimestampUnix
// to refuse such instants.
func Timestamp(t time.Time) Value {
	sec, ns := t.Unix(), t.Nanosecond()
	if sec < minPlainSecond || sec > maxPlainSecond {
		ns -= ns % 1e6
		if !timestampInRange(sec, int64(ns)) {
			if sec < 0 {
				sec, ns = splitMillis(math.MinInt64)
			} else {
				sec, ns = splitMillis(math.MaxInt64)
			}
		}
	}
	return timestamp(sec, ns)
}

// TimestampUnix returns the instant sec seconds and nsec nanoseconds after 1970-01-01T00:00:00Z. ErrTimestamp if nsec is
// not in 0 ... 999,999,999, or if the instant is outside the years 0000 to 9999 and not a whole millisecond that an
// int64 can count.
func TimestampUnix(sec, nsec int64) (Value, error) {
	if !timestampInRange(sec, nsec) {
		return Value{}, fmt.Errorf("%w: second %d, nanosecond %d; years 0000 to 9999 have nanoseconds, "+
			"others only milliseconds that an int64 counts", ErrTimestamp, sec, nsec)
	}
	return timestamp(sec, int(nsec)), nil
}

// timestampInRange reports whether an instant can be said in JSON without loss.
func timestampInRange(sec, nsec int64) bool {
	if nsec < 0 || nsec >= 1e9 {
		return false
	}
	if sec >= minPlainSecond && sec <= maxPlainSecond {
		return true
	}
	if sec < minSecond || sec > maxSecond || nsec%1e6 != 0 {
		return false
	}
	switch ms := nsec / 1e6; sec {
	case minSecond:
		return ms >= 1000-minMillisRest
	case maxSecond:
		return ms <= math.MaxInt64%1000
	}
	return true
}

// minMillisRest is how far math.MinInt64 milliseconds lie below a whole second.
const minMillisRest = -(math.MinInt64 % 1000)

func timestamp(sec int64, ns int) Value {
	return Value{kind: KindTimestamp, num: uint64(sec), aux: int32(ns)}
}

// splitMillis turns milliseconds since 1970 into seconds and nanoseconds.
func splitMillis(ms int64) (sec int64, ns int) {
	sec, rest := ms/1000, ms%1000
	if rest < 0 {
		sec, rest = sec-1, rest+1000
	}
	return sec, int(rest) * 1e6
}

// AsUnix returns a timestamp as seconds since 1970-01-01T00:00:00Z and nanoseconds within the second (0 ... 999,999,999);
// ok is false for any other kind.
func (v Value) AsUnix() (sec, nsec int64, ok bool) {
	if v.kind != KindTimestamp {
		return 0, 0, false
	}
	return int64(v.num), int64(v.aux), true
}

// AsTime returns a timestamp in UTC; ok is false for any other kind.
func (v Value) AsTime() (t time.Time, ok bool) {
	sec, nsec, ok := v.AsUnix()
	if !ok {
		return time.Time{}, false
	}
	return time.Unix(sec, nsec).UTC(), true
}
