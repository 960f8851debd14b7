package value

import "time"

// parseRFC3339 reads a time of RFC 3339 section 5.6: year 0000 to 9999, up to nine digits of a second, Z or an offset,
// T and Z in either case. No leap second, for an instant counts none.
func parseRFC3339(s string) (sec, nsec int64, ok bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return 0, 0, false
	}
	year, month, day := upTo(s[:4], 9999), upTo(s[5:7], 12), upTo(s[8:10], 31)
	hour, minute, second := upTo(s[11:13], 23), upTo(s[14:16], 59), upTo(s[17:19], 59)
	if year < 0 || month < 1 || day < 1 || hour < 0 || minute < 0 || second < 0 {
		return 0, 0, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if t.Day() != day { // 30 February has become March
		return 0, 0, false
	}
	rest := s[19:]
	if rest[0] == '.' {
		end := digitsEnd(rest, 1)
		if end < 2 || end > 10 {
			return 0, 0, false
		}
		nsec = int64(upTo(rest[1:end], 999_999_999))
		for i := end; i < 10; i++ {
			nsec *= 10
		}
		rest = rest[end:]
	}
	offset, ok := parseOffset(rest)
	return t.Unix() - int64(offset), nsec, ok
}

// parseOffset reads the offset from UTC in seconds.
func parseOffset(s string) (seconds int, ok bool) {
	if len(s) == 1 && s[0]|0x20 == 'z' {
		return 0, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	hour, minute := upTo(s[1:3], 23), upTo(s[4:6], 59)
	if hour < 0 || minute < 0 {
		return 0, false
	}
	seconds = (hour*60 + minute) * 60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// upTo reads a number of digits only that is at most most; -1 for anything else.
func upTo(s string, most int) int {
	n := 0
	for i := 0; i < len(s); i++ {
		d := s[i] - '0'
		if d > 9 {
			return -1
		}
		n = n*10 + int(d)
	}
	if n > most {
		return -1
	}
	return n
}
