const a = 1
result = a +
  ]
