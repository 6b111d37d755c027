#!lua
-- On a Redis Cluster: count a request in the rates of its address, or in none if one refuses it. The
-- arguments are the limits of all rates, then the costs.
local rates = {}
for index, key in ipairs(KEYS) do
  rates[index] = {key, ARGV[index], ARGV[#KEYS + index]}
end
return check_rates(now_ms(), unpack(rates)) or {'ok'}
