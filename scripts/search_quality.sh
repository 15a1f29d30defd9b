#!/bin/sh
# Lexical, vector and hybrid search side by side over the rated queries, their translations and misspelt titles.
# When: after a change to search. Needs an index of the rated catalog and a built truetill; writes only below OUT.
#   TRUETILL__PATHS__INDEX=INDEX scripts/search_quality.sh DATA OUT [path/to/truetill]
# DATA holds search_chorus_products.tsv and search_chorus_ratings.tsv.
set -eu
data=$1 out=$2 truetill=${3:-target/release/truetill}
here=$(dirname "$0")
mkdir -p "$out"
ratings=$data/search_chorus_ratings.tsv products=$data/search_chorus_products.tsv
python3 "$here/ndcg.py" queries "$ratings" "$out/rated.tsv"
python3 "$here/misspelt.py" queries "$products" "$out/misspelt.tsv" --count "${MISSPELT:-1000}"
for language in en ru sk zh; do
  python3 "$here/ndcg.py" translated "$ratings" "$out/$language.tsv" --words "$here/../data/eval/search_translated.tsv" --language $language
done
for mode in lexical vector hybrid; do
  "$truetill" search --queries "$out/rated.tsv" --run "$out/rated.$mode" --mode $mode > "$out/rated.$mode.log"
  for split in odd even; do
    echo "$mode $split: $(python3 "$here/ndcg.py" score "$ratings" "$out/rated.$mode" --split $split)"
  done
done
for language in en ru sk zh; do
  "$truetill" search --queries "$out/$language.tsv" --run "$out/$language.run" > "$out/$language.log"
  echo "hybrid $language: $(python3 "$here/ndcg.py" score "$ratings" "$out/$language.run" --asked "$out/$language.tsv")"
done
"$truetill" search --queries "$out/misspelt.tsv" --run "$out/misspelt.run" --k 3 > "$out/misspelt.log"
python3 "$here/misspelt.py" score "$products" "$out/misspelt.run"
