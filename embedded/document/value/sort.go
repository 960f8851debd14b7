package value

import (
	"cmp"
	"slices"
	"strings"
)

// keyRank stands for a member while members are sorted: small, without pointers, and mostly compared by one number.
type keyRank struct {
	rank uint64 // length and the first six bytes: in the order of CompareKeys as far as it goes
	at   int    // where the member stands now
}

// longKey is the length from which on a rank tells nothing but that the key is so long.
const longKey = 1<<16 - 1

func rankOf(key string) uint64 {
	n := len(key)
	if n >= longKey {
		return longKey << 48 // among these the length comes first, and it does not fit
	}
	if n >= 6 {
		head := uint64(key[0])<<40 | uint64(key[1])<<32 | uint64(key[2])<<24 | uint64(key[3])<<16 | uint64(key[4])<<8 | uint64(key[5])
		return uint64(n)<<48 | head
	}
	rank := uint64(n) << 48
	for i := range n {
		rank |= uint64(key[i]) << (40 - 8*i)
	}
	return rank
}

// sortedMembers returns a copy of members in canonical order, or a key that occurs twice.
func sortedMembers(members []Member) (sorted []Member, dup string, found bool) {
	if len(members) == 0 {
		return nil, "", false
	}
	var room [32]keyRank
	ranks := room[:0]
	if len(members) > len(room) {
		ranks = make([]keyRank, 0, len(members))
	}
	inOrder := true
	for i := range members {
		r := keyRank{rankOf(members[i].Key), i}
		inOrder = inOrder && (i == 0 || ranks[i-1].rank < r.rank)
		ranks = append(ranks, r)
	}
	if inOrder {
		return slices.Clone(members), "", false
	}
	compare := func(a, b keyRank) int {
		if a.rank != b.rank {
			return cmp.Compare(a.rank, b.rank)
		}
		x, y := members[a.at].Key, members[b.at].Key
		if len(x) != len(y) {
			return cmp.Compare(len(x), len(y))
		}
		return strings.Compare(x, y)
	}
	if len(ranks) <= len(room) {
		for i := 1; i < len(ranks); i++ {
			r, j := ranks[i], i
			for ; j > 0 && compare(ranks[j-1], r) > 0; j-- {
				ranks[j] = ranks[j-1]
			}
			ranks[j] = r
		}
	} else {
		slices.SortFunc(ranks, compare)
	}
	sorted = make([]Member, len(members))
	for i, r := range ranks {
		sorted[i] = members[r.at]
		if i > 0 && r.rank == ranks[i-1].rank && sorted[i].Key == sorted[i-1].Key {
			return nil, sorted[i].Key, true
		}
	}
	return sorted, "", false
}
