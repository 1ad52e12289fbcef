"""The grammar of the cascade language, LALR(1); a name's kind is decided after parsing."""

from __future__ import annotations

GRAMMAR = r"""
cascade: _NL? (statement (_NL statement)* _NL?)?
statement: access "=" expr over? where?
over: "over" NAME ("," NAME)*
where: "where" _pred otherwise?
otherwise: "else" expr

?expr: term | expr (PLUS | MINUS) term -> binary
?term: factor | term (STAR | SLASH) factor -> binary
?factor: NUMBER -> number
       | "inf" -> infinity
       | "lowest" -> lowest
       | MINUS factor -> negate
       | access
       | NAME "(" expr ("," expr)* ")" -> call
       | "(" expr ")"
       | "(" expr COMPARISON expr ")" -> compare
access: NAME ("[" index ("," index)* "]")?

index: affine (CLAMP | ZERO | WRAP)?
?affine: product | affine (PLUS | MINUS) product -> binary
?product: unit | product (STAR | FLOOR | PERCENT) unit -> binary
?unit: INT -> integer
     | NAME -> name
     | NAME "(" affine ")" -> map
     | NAME "[" index ("," index)* "]" -> lookup
     | MINUS unit -> negate
     | "(" affine ")"

_pred: conjunction | disjunction
disjunction: conjunction ("or" conjunction)+
?conjunction: test | test ("and" test)+
?test: "not" test -> complement
     | affine COMPARISON affine -> comparison
     | "(" _pred ")"

CLAMP: "clamp"
ZERO: "zero"
WRAP: "wrap"
PLUS: "+"
MINUS: "-"
STAR: "*"
SLASH: "/"
FLOOR: "//"
PERCENT: "%"
COMPARISON: /<=|==|!=|>=|<|>/
NAME: /[A-Za-z][A-Za-z0-9_]*/
NUMBER: /([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?/
INT: /[0-9]+/
_NL: /(\n[ \t]*(#[^\n]*)?)+/
%ignore /[ \t]+/
%ignore /#[^\n]*/
"""
